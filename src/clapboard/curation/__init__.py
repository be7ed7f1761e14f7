"""Cleaning a set of clips by the votes of people, as the data set VEGAS was made.

``begin`` cuts media on paper into short segments; people say of each, picture and sound apart, whether the thing is
seen and whether it is heard; ``cut`` keeps what a majority saw and heard, joins what is adjacent, and writes clips.

References
----------
Y. Zhou, Z. Wang, C. Fang, T. Bui, T. L. Berg, "Visual to Sound: Generating Natural Sound for Videos in the Wild",
CVPR 2018, section 3.
"""
