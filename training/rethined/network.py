"""RETHINED for a CPU: a light coarse network over a smooth extension of the surroundings,
NeuralPatchMatch and a coherence layer. After arXiv 2503.14757; where and why it differs from the
paper stands in README.md.

Images are RGB in [0, 1], `[batch, 3, height, width]`; holes `[batch, 1, height, width]`, 1 to fill.
Both sides are multiples of `STRIDE`.
"""

from dataclasses import asdict, dataclass

import torch
from extend import extend
from torch import nn
from torch.nn import functional as F

PATCH = 8  # the side of a token
STRIDE = 32  # of the coarsest level
BLUR_SIZE, BLUR_SIGMA = 7, 2.01  # what is above this Gaussian is high frequency
LEAST_FEATURES = 1e-3  # features are brought to a root mean square of 1 before they are compared
SURE_CHANNELS = 32  # between the two convolutions that say how sure the answer is
HIGH_GAIN = 4  # high frequencies are an order smaller than the features beside them


@dataclass
class Config:
    stem: int = 4  # space-to-depth factor
    channels: tuple = (48, 96, 160, 256)  # at strides 4, 8, 16, 32
    encoder: tuple = (
        0,
        1,
        2,
        3,
    )  # residual blocks at each level on the way down; the last is the bottom
    decoder: tuple = (1, 1, 1)  # and on the way up, at strides 4, 8, 16
    key: int = 128  # d_k of NeuralPatchMatch

    def plain(self):
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


class RepConv(nn.Module):
    """A convolution 3x3 (zero padding, bias) with parallel branches in training: 1x1 and, where the
    shape allows, a scale for each channel. All are linear, so that they are summed into one kernel
    before it is applied (as in OREPA, arXiv 2204.00826): a training step costs one convolution, and
    `fold` drops the branches."""

    def __init__(self, inputs, outputs, stride=1, gain=1.0):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(
            torch.randn(outputs, inputs, 3, 3) * gain * (2 / (9 * inputs)) ** 0.5
        )
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.pointwise = nn.Parameter(
            torch.randn(outputs, inputs) * gain * 0.3 * (2 / inputs) ** 0.5
        )
        self.scale = (
            nn.Parameter(torch.zeros(outputs)) if inputs == outputs and stride == 1 else None
        )

    def kernel(self):
        if self.pointwise is None:
            return self.weight
        middle = self.pointwise
        if self.scale is not None:
            middle = middle + torch.diag(self.scale)
        return self.weight + F.pad(middle[:, :, None, None], (1, 1, 1, 1))

    def fold(self):
        self.weight = nn.Parameter(self.kernel().detach())
        self.pointwise = self.scale = None

    def forward(self, x):
        return F.conv2d(x, self.kernel(), self.bias, self.stride, 1)


class ResBlock(nn.Module):
    """x + conv2(relu(conv1(x)))."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = RepConv(channels, channels)
        self.conv2 = RepConv(channels, channels, gain=0.2)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Down(nn.Module):
    """relu(conv 3x3, stride 2), then residual blocks."""

    def __init__(self, inputs, outputs, blocks):
        super().__init__()
        self.conv = RepConv(inputs, outputs, stride=2)
        self.blocks = nn.ModuleList(ResBlock(outputs) for _ in range(blocks))

    def forward(self, x):
        x = F.relu(self.conv(x))
        for block in self.blocks:
            x = block(x)
        return x


class Up(nn.Module):
    """Conv 1x1, twice the size (bilinear, `align_corners=False`), plus the encoder's map, then
    residual blocks."""

    def __init__(self, inputs, outputs, blocks):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)
        self.blocks = nn.ModuleList(ResBlock(outputs) for _ in range(blocks))

    def forward(self, x, skip):
        x = F.interpolate(self.conv(x), scale_factor=2, mode="bilinear", align_corners=False) + skip
        for block in self.blocks:
            x = block(x)
        return x


class CoarseNet(nn.Module):
    """The coarse network: what to add to the smooth extension, and the features at stride 8.

    The input's 4 channels are the extended image (2 x - 1) and the hole; space-to-depth orders the
    channels as `pixel_unshuffle`: (channel, row, column)."""

    def __init__(self, config):
        super().__init__()
        c, s = config.channels, config.stem
        self.factor = s
        self.stem = RepConv(4 * s * s, c[0])
        self.encoder0 = nn.ModuleList(ResBlock(c[0]) for _ in range(config.encoder[0]))
        self.down = nn.ModuleList(Down(c[i - 1], c[i], config.encoder[i]) for i in range(1, len(c)))
        self.up = nn.ModuleList(Up(c[i + 1], c[i], config.decoder[i]) for i in range(len(c) - 1))
        self.head = RepConv(c[0], 3 * s * s)
        for parameter in (self.head.weight, self.head.pointwise):
            nn.init.zeros_(parameter)  # training starts at the smooth extension

    def decoded(self, extended, hole):
        """The last map, at stride 4, after its ReLU, and the features at stride 8."""
        x = F.pixel_unshuffle(torch.cat([2 * extended - 1, hole], 1), self.factor)
        x = F.relu(self.stem(x.contiguous(memory_format=torch.channels_last)))
        for block in self.encoder0:
            x = block(x)
        skips = [x]
        for down in self.down:
            skips.append(down(skips[-1]))
        x = skips.pop()
        features = None
        for up in reversed(self.up):
            x = up(x, skips.pop())
            if up is self.up[1]:
                features = x
        return F.relu(x), features

    def forward(self, extended, hole):
        x, features = self.decoded(extended, hole)
        return F.pixel_shuffle(self.head(x), self.factor), features


class Sure(nn.Module):
    """How sure the coarse answer is: from the coarse network's last map the logarithm of the
    variance of what each cell of 4 x 4 pixels is off on average, a mean of the channels."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, SURE_CHANNELS, 3, padding=1)
        self.conv2 = nn.Conv2d(SURE_CHANNELS, 1, 3, padding=1)

    def forward(self, decoded):
        return self.conv2(F.relu(self.conv1(decoded)))


def gaussian_blur(image):
    """7x7 Gaussian with deviation 2.01, reflect padding."""
    at = torch.arange(BLUR_SIZE, dtype=torch.float32) - BLUR_SIZE // 2
    line = torch.exp(-at * at / (2 * BLUR_SIGMA * BLUR_SIGMA))
    line = (line / line.sum()).to(image)
    c, r = image.shape[1], BLUR_SIZE // 2
    image = F.pad(image, (r, r, r, r), mode="reflect")
    image = F.conv2d(image, line.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)
    return F.conv2d(image, line.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)


def to_tokens(image):
    """`[batch, c, height, width]` to `[batch, c * 64, rows, columns]`, channels as (channel, row,
    column)."""
    return F.pixel_unshuffle(image, PATCH)


def from_tokens(tokens):
    return F.pixel_shuffle(tokens, PATCH)


def hole_tokens(hole):
    """`[batch, rows * columns]`, true where any pixel of the token is to be filled."""
    return F.max_pool2d(hole, PATCH).flatten(1) > 0


class NeuralPatchMatch(nn.Module):
    """Each hole token attends to the known tokens, by the high frequencies of the coarse answer and
    the coarse network's features at stride 8."""

    def __init__(self, features, key):
        super().__init__()
        self.query = nn.Linear(3 * PATCH * PATCH + features, key, bias=False)
        self.key = nn.Linear(3 * PATCH * PATCH + features, key, bias=False)

    def forward(self, image, features, hole):
        """The image with whole patches mixed (the paper's equation 2), `[batch, 192, rows,
        columns]`, and for each item (hole tokens, known tokens, logarithm of the attention `[hole
        tokens, known tokens]`). A known token attends to itself alone; where nothing is known every
        token does."""
        patches = to_tokens(image)
        high = patches - to_tokens(gaussian_blur(image))
        features = features * torch.rsqrt(
            (features * features).mean(1, keepdim=True) + LEAST_FEATURES
        )
        x = torch.cat([HIGH_GAIN * high, features], 1).flatten(2).transpose(1, 2)
        queries, keys = self.query(x), self.key(x) * self.key.out_features**-0.5
        mixed, scores = [], []
        for patch, query, key, holes in zip(patches.flatten(2), queries, keys, hole_tokens(hole)):
            rows, columns = torch.nonzero(holes)[:, 0], torch.nonzero(~holes)[:, 0]
            if len(columns) == 0:
                rows = columns
            logarithm = F.log_softmax(query[rows] @ key[columns].T, 1)
            found = patch[:, columns] @ logarithm.exp().T
            mixed.append(patch.index_copy(1, rows, found))
            scores.append((rows, columns, logarithm))
        return torch.stack(mixed).view_as(patches), scores


class Coherence(nn.Module):
    """What of the matched patches goes onto the coarse answer: conv 3x3 on the grid of tokens,
    reflect padding."""

    def __init__(self):
        super().__init__()
        channels = 3 * PATCH * PATCH
        self.conv = nn.Conv2d(channels, channels, 3)
        nn.init.normal_(self.conv.weight, std=1e-3)
        nn.init.zeros_(self.conv.bias)
        with torch.no_grad():
            self.conv.weight[:, :, 1, 1] += 0.25 * (
                torch.eye(channels) - torch.kron(torch.eye(3), torch.full((64, 64), 1 / 64))
            )

    def forward(self, difference):
        return self.conv(F.pad(difference, (1, 1, 1, 1), mode="reflect"))


class Rethined(nn.Module):
    def __init__(self, config=None):
        super().__init__()
        self.config = config = config or Config()
        self.coarse = CoarseNet(config)
        self.match = NeuralPatchMatch(config.channels[1], config.key)
        self.coherence = Coherence()

    def fill_coarse(self, image, hole):
        """The coarse answer, composited with the known pixels and not clamped, and the features."""
        extended = extend(image, hole)
        residual, features = self.coarse(extended, hole)
        return extended + hole * residual, features

    def fill_matched(self, coarse, features, hole):
        """The coarse answer with matched patches; the mixed patches as an image; the attention."""
        mixed, scores = self.match(coarse, features, hole)
        difference = mixed - to_tokens(coarse)
        refined = coarse + hole * from_tokens(self.coherence(difference))
        return refined, from_tokens(mixed), scores

    def forward(self, image, hole):
        coarse, features = self.fill_coarse(image, hole)
        return self.fill_matched(coarse, features, hole)[0].clamp(0, 1)

    def fold(self):
        for module in self.modules():
            if isinstance(module, RepConv):
                module.fold()
        return self
