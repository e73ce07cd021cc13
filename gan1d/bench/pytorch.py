"""The workloads in PyTorch, one GAN after the other and by torch.func.vmap; it is optional.

Networks, losses and rates are the workload's; optimizers are PyTorch's own. Training only.
"""

import itertools
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan1d.bench import workloads
from gan1d.bench.trial import Seconds, Trial
from gan1d.bench.workloads import Workload
from gan1d.gan.networks import DiscriminatorFields, GeneratorFields, hidden_activations
from gan1d.gan.optimizers import OptimizerFields
from gan1d.gan.setting import Setting
from gan1d.gan.tricks import TrickFields

Params = dict[str, Tensor]

LOOP_STEPS = 500  # of a single GAN, about a second
ACTIVATIONS = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
}


def loop(workload: Workload, runs: int, steps: int | None) -> Trial:
    """A GAN after the other, as most PyTorch code trains; one is enough to tell the speed."""
    setting = workloads.setting(workload)
    steps = steps or LOOP_STEPS

    def measure() -> Seconds:
        began = time.perf_counter()
        g, d = _generator(setting), _discriminator(setting)
        g_optimizer, g_rate = _optimizer(setting.generator.optimizer, g.parameters())
        d_optimizer, d_rate = _optimizer(setting.discriminator.optimizer, d.parameters())
        for _ in range(steps):
            d_optimizer.zero_grad()
            fake = g(_latent(setting)).detach()
            _d_loss(setting, d(_real(setting)), d(fake)).backward()
            d_optimizer.step()
            d_rate.step()
            g_optimizer.zero_grad()
            _g_loss(setting, d(g(_latent(setting)))).backward()
            g_optimizer.step()
            g_rate.step()
        return Seconds(time.perf_counter() - began)

    return Trial(1, steps, 1, None, measure)


def vmapped(workload: Workload, runs: int, steps: int | None) -> Trial:
    """All GANs at once, by torch.func.vmap of their gradients."""
    setting = workloads.setting(workload)
    steps = steps or workload.other_steps

    def measure() -> Seconds:
        began = time.perf_counter()
        g, g_params = _stacked([_generator(setting) for _ in range(runs)])
        d, d_params = _stacked([_discriminator(setting) for _ in range(runs)])
        # Elementwise, so they may as well take all runs' parameters for those of one network.
        g_optimizer, g_rate = _optimizer(setting.generator.optimizer, g_params.values())
        d_optimizer, d_rate = _optimizer(setting.discriminator.optimizer, d_params.values())

        def d_loss(d_params: Params, g_params: Params, real: Tensor, latent: Tensor) -> Tensor:
            return _d_loss(setting, d(d_params, real), d(d_params, g(g_params, latent)))

        def g_loss(g_params: Params, d_params: Params, latent: Tensor) -> Tensor:
            return _g_loss(setting, d(d_params, g(g_params, latent)))

        d_grads = torch.func.vmap(torch.func.grad(d_loss))
        g_grads = torch.func.vmap(torch.func.grad(g_loss))
        for _ in range(steps):
            real, latent = _real(setting, runs), _latent(setting, runs)
            _set_grads(d_params, d_grads(d_params, g_params, real, latent))
            d_optimizer.step()
            d_rate.step()
            _set_grads(g_params, g_grads(g_params, d_params, _latent(setting, runs)))
            g_optimizer.step()
            g_rate.step()
        return Seconds(time.perf_counter() - began)

    return Trial(runs, steps, 1, None, measure)


class _Minibatch(nn.Module):
    """Rows `[B, F]` with how near each is to the others behind them (Salimans et al. 2016)."""

    def __init__(self, features: int, tricks: TrickFields) -> None:
        super().__init__()
        self.shape = (tricks.minibatch_kernels, tricks.minibatch_dim)
        self.project = nn.Linear(features, self.shape[0] * self.shape[1])
        nn.init.normal_(self.project.weight, std=float(tricks.minibatch_init_scale))

    def forward(self, rows: Tensor) -> Tensor:
        projected = self.project(rows).unflatten(-1, self.shape)
        distances = (projected[:, None] - projected[None]).abs().sum(-1)
        return torch.cat([rows, torch.exp(-distances).sum(1)], dim=1)


class _Scaled(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, rows: Tensor) -> Tensor:
        return self.scale * rows


def _generator(setting: Setting) -> nn.Sequential:
    network = setting.generator
    widths = (setting.latent.dim, *network.hidden, _dim(setting))
    activations = [*hidden_activations(network), network.output_activation]
    layers, scale = _layers(network, widths, activations), float(network.output_scale)
    return nn.Sequential(*layers, *([_Scaled(scale)] if scale != 1 else []))


def _discriminator(setting: Setting) -> nn.Sequential:
    network, tricks = setting.discriminator, setting.tricks
    activations = hidden_activations(network)
    hidden, features = network.hidden, network.hidden[-1]
    if tricks.minibatch == "replace":
        hidden, features = hidden[:-1], hidden[-2] + tricks.minibatch_kernels
    layers = _layers(network, (_dim(setting), *hidden), activations)
    if tricks.minibatch == "replace":
        layers.append(_Minibatch(hidden[-1], tricks))
    return nn.Sequential(*layers, *_layers(network, (features, 1), [network.output_activation]))


def _layers(
    network: GeneratorFields | DiscriminatorFields, widths: Iterable[int], activations: list[str]
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for (inputs, outputs), activation in zip(itertools.pairwise(widths), activations, strict=False):
        layer = nn.Linear(inputs, outputs)
        if network.kernel_init == "glorot_uniform":
            nn.init.xavier_uniform_(layer.weight)
        else:
            nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, ACTIVATIONS[activation]()]
    return layers


def _stacked(networks: list[nn.Module]) -> tuple[Callable[..., Tensor], Params]:
    """A function of (parameters, rows), and the parameters of as many networks."""
    params, _ = torch.func.stack_module_state(networks)
    params = {name: param.detach() for name, param in params.items()}  # autograd need not watch
    one = networks[0]
    return lambda params, rows: torch.func.functional_call(one, params, (rows,)), params


def _set_grads(params: Params, grads: Params) -> None:
    for name, param in params.items():
        param.grad = grads[name]


def _optimizer(
    optimizer: OptimizerFields, params: Iterable[Tensor]
) -> tuple[Optimizer, LRScheduler]:
    rate, params = float(optimizer.rate), list(params)
    chosen = {
        "sgd": lambda: torch.optim.SGD(params, lr=rate),
        "momentum": lambda: torch.optim.SGD(params, lr=rate, momentum=float(optimizer.momentum)),
        "adam_tf1": lambda: torch.optim.Adam(params, lr=rate),
        "rmsprop": lambda: torch.optim.RMSprop(params, lr=rate, alpha=0.9, eps=1e-10),
    }[optimizer.kind]()
    falling = torch.optim.lr_scheduler.StepLR(
        chosen, int(optimizer.decay_steps), float(optimizer.decay)
    )
    return chosen, falling


def _dim(setting: Setting) -> int:
    return 2 if setting.target.kind == "quadratic" else 1


def _real(setting: Setting, *runs: int) -> Tensor:
    shape = (*runs, setting.training.batch_size, 1)
    if setting.target.kind == "quadratic":
        x = 100 * (torch.rand(shape) - 0.5)
        return torch.cat([x, 10 + x**2], dim=-1)
    rows = torch.randn(shape)
    return float(setting.target.loc) + float(setting.target.scale) * rows.sort(dim=-2).values


def _latent(setting: Setting, *runs: int) -> Tensor:
    latent, rows = setting.latent, setting.training.batch_size
    low, high = float(latent.low), float(latent.high)
    if latent.kind == "uniform":
        return low + (high - low) * torch.rand(*runs, rows, latent.dim)
    points = torch.linspace(low, high, rows)[:, None]
    return points + float(latent.jitter) * torch.rand(*runs, rows, 1)


def _logs(setting: Setting, output: Tensor) -> tuple[Tensor, Tensor]:
    """Log D and log(1 - D) of raw outputs."""
    floor, clip = float(setting.loss.log_floor), float(setting.loss.clip)
    if setting.loss.output == "probability":
        output = output.clamp(clip, 1 - clip)
        return output.log(), (1 - output).log()
    if not floor and setting.loss.output == "logit":
        return nn.functional.logsigmoid(output), nn.functional.logsigmoid(-output)
    probability = torch.sigmoid(output)
    return probability.clamp(min=floor).log(), (1 - probability).clamp(min=floor).log()


def _d_loss(setting: Setting, real: Tensor, fake: Tensor) -> Tensor:
    return -(_logs(setting, real)[0] + _logs(setting, fake)[1]).mean()


def _g_loss(setting: Setting, fake: Tensor) -> Tensor:
    return -_logs(setting, fake)[0].mean()
