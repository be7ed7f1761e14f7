import { api, say } from "/base/base.js";

const name = document.getElementById("name");

async function enter(same) {
  try {
    const found = await api("POST", "/name", { name: name.value, same });
    if (found.known) {
      document.getElementById("name-known").hidden = false;
      document.getElementById("name-same").focus();
    } else location.assign("/");
  } catch (error) {
    say(error.message, true);
  }
}

document.getElementById("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(false);
});
document.getElementById("name-same").addEventListener("click", () => enter(true));
name.addEventListener("input", () => { document.getElementById("name-known").hidden = true; });
