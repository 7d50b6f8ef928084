"""Parts that several pages use. They import no feature folder."""
