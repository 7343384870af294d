"""The model of the paper's section VII: it answers from whatever components of a face can be seen.

In reading order: `inputs` turns crops and landmarks into what the network sees, `occluders` covers faces for its
training, `network` builds it, `learning` fits it and predicts with it, `judging` measures it beside other systems.
"""
