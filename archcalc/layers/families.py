"""The one list of modules whose import registers layer types."""

from archcalc.layers import activation_layers as activation_layers
from archcalc.layers import adaptive as adaptive
from archcalc.layers import applications as applications
from archcalc.layers import attention as attention
from archcalc.layers import augmentation as augmentation
from archcalc.layers import colour_augmentation as colour_augmentation
from archcalc.layers import conv_recurrent as conv_recurrent
from archcalc.layers import convolution as convolution
from archcalc.layers import core as core
from archcalc.layers import einsum as einsum
from archcalc.layers import encoding as encoding
from archcalc.layers import images as images
from archcalc.layers import locally_connected as locally_connected
from archcalc.layers import merging as merging
from archcalc.layers import normalization as normalization
from archcalc.layers import opaque as opaque
from archcalc.layers import padding as padding
from archcalc.layers import pooling as pooling
from archcalc.layers import preprocessing as preprocessing
from archcalc.layers import recurrent as recurrent
from archcalc.layers import regularization as regularization
from archcalc.layers import reshaping as reshaping
from archcalc.layers import spectrogram as spectrogram
from archcalc.layers import transposed as transposed
from archcalc.layers import upsampling as upsampling
from archcalc.layers import wrappers as wrappers
