"""Color science: CIE Lab, the quantized ab colors, the sRGB gamut, color differences."""
