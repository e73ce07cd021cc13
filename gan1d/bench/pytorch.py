"""AYLIEN's plain GANs in PyTorch, one after the other and by torch.func.vmap; it is optional.

The networks, losses and rates are the workload's; Adam is PyTorch's own. Training only.
"""

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gan1d.bench import workloads
from gan1d.bench.contenders import Seconds, Trial
from gan1d.bench.workloads import Workload
from gan1d.settings import Setting

WRITTEN = ("aylien-2016", "aylien-2017")
LOOP_STEPS = 500  # of a single GAN, about a second
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "softplus": nn.Softplus}


def loop(workload: Workload, runs: int, steps: int | None) -> Trial | None:
    """A GAN after the other, as most PyTorch code trains; one is enough to tell the speed."""
    if not _is_written(workload):
        return None
    setting = workloads.setting(workload)
    steps = steps or LOOP_STEPS

    def measure() -> Seconds:
        began = time.perf_counter()
        g, d = _perceptron(setting.generator), _perceptron(setting.discriminator)
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


def vmapped(workload: Workload, runs: int, steps: int | None) -> Trial | None:
    """All GANs at once, by torch.func.vmap of their gradients."""
    if not _is_written(workload):
        return None
    setting = workloads.setting(workload)
    steps = steps or workload.other_steps

    def measure() -> Seconds:
        began = time.perf_counter()
        g, g_params = _stacked(setting.generator, runs)
        d, d_params = _stacked(setting.discriminator, runs)
        # Elementwise, so they may as well take all runs' parameters for those of one network.
        g_optimizer, g_rate = _optimizer(setting.generator.optimizer, g_params.values())
        d_optimizer, d_rate = _optimizer(setting.discriminator.optimizer, d_params.values())

        def d_loss(d_params: Any, g_params: Any, real: Tensor, latent: Tensor) -> Tensor:
            return _d_loss(setting, d(d_params, real), d(d_params, g(g_params, latent)))

        def g_loss(g_params: Any, d_params: Any, latent: Tensor) -> Tensor:
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


def _is_written(workload: Workload) -> bool:
    return workload in [workloads.WORKLOADS[name] for name in WRITTEN]


def _perceptron(network: Any) -> nn.Sequential:
    widths = (1, *network.hidden)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[network.activation]()]
    layers.append(nn.Linear(widths[-1], 1))
    for layer in layers[::2]:
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def _stacked(network: Any, runs: int) -> tuple[Callable[..., Tensor], dict[str, Tensor]]:
    """A function of (parameters, rows), and the parameters of as many networks."""
    networks = [_perceptron(network) for _ in range(runs)]
    params, _ = torch.func.stack_module_state(networks)
    one = networks[0]
    return lambda params, rows: torch.func.functional_call(one, params, (rows,)), params


def _set_grads(params: dict[str, Tensor], grads: dict[str, Tensor]) -> None:
    for name, param in params.items():
        param.grad = grads[name]


def _optimizer(optimizer: Any, params: Iterable[Tensor]) -> tuple[Any, Any]:
    kind = {"sgd": torch.optim.SGD, "adam_tf1": torch.optim.Adam}[optimizer.kind]
    made = kind(params, lr=float(optimizer.rate))
    rate = torch.optim.lr_scheduler.StepLR(made, int(optimizer.decay_steps), float(optimizer.decay))
    return made, rate


def _real(setting: Setting, *runs: int) -> Tensor:
    rows = torch.randn(*runs, setting.training.batch_size, 1)
    return float(setting.target.loc) + float(setting.target.scale) * rows.sort(dim=-2).values


def _latent(setting: Setting, *runs: int) -> Tensor:
    latent, rows = setting.latent, setting.training.batch_size
    points = torch.linspace(float(latent.low), float(latent.high), rows)[:, None]
    return points + float(latent.jitter) * torch.rand(*runs, rows, 1)


def _log(setting: Setting, probability: Tensor) -> Tensor:
    return probability.clamp(min=float(setting.loss.log_floor)).log()


def _d_loss(setting: Setting, real: Tensor, fake: Tensor) -> Tensor:
    of_real, of_fake = torch.sigmoid(real), torch.sigmoid(fake)
    return -(_log(setting, of_real) + _log(setting, 1 - of_fake)).mean()


def _g_loss(setting: Setting, fake: Tensor) -> Tensor:
    return -_log(setting, torch.sigmoid(fake)).mean()
