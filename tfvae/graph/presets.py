"""Graphical models of the literature by name."""

# Each preset has the arguments of `GraphicalModel.parse`.
PRESETS = {
    # Kingma and Welling (2014), https://arxiv.org/abs/1312.6114
    'vae': {
        'latents': 'z:50', 'inference': 'z|x', 'generative': 'z; x|z'},
    # Burda et al. (2016), https://arxiv.org/abs/1509.00519
    'two_layer': {
        'latents': 'z1:100,z2:50',
        'inference': 'z1|x; z2|z1', 'generative': 'z2; z1|z2; x|z1'},
    # Sønderby et al. (2016), https://arxiv.org/abs/1602.02282
    'ladder': {
        'latents': 'z1:100,z2:50',
        'inference': 'z2|x; z1|z2,x', 'generative': 'z2; z1|z2; x|z1'},
    # Kingma et al. (2014), model M2, https://arxiv.org/abs/1406.5298
    'conditional': {
        'latents': 'z:50', 'inference': 'z|x,y', 'generative': 'z; x|z,y'},
}
