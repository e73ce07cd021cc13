"""Setting: one point of a sweep, a value for every field of one GAN.

A Setting is a pytree whose leaves are the traced numbers; its tree structure holds everything that
changes the traced program. So settings whose tree structures are equal share one compilation, and
`vmap` maps over the numbers. Each section stands beside the functions that it configures.
"""

from gan1d.gan.averages import AverageFields
from gan1d.gan.diversity import DiversityFields
from gan1d.gan.inputs import TrainingFields
from gan1d.gan.latents import LatentFields
from gan1d.gan.losses import LossFields
from gan1d.gan.networks import DiscriminatorFields, GeneratorFields
from gan1d.gan.penalties import PenaltyFields
from gan1d.gan.pretrain import PretrainingFields
from gan1d.gan.spec import pytree, section
from gan1d.gan.targets import TargetFields
from gan1d.gan.tricks import TrickFields


@pytree
class Setting:
    """A value for every field; the default is AYLIEN's GAN of June 2017."""

    target: TargetFields = section(TargetFields())
    latent: LatentFields = section(LatentFields())
    generator: GeneratorFields = section(GeneratorFields())
    discriminator: DiscriminatorFields = section(DiscriminatorFields())
    loss: LossFields = section(LossFields())
    penalty: PenaltyFields = section(PenaltyFields())
    diversity: DiversityFields = section(DiversityFields())
    tricks: TrickFields = section(TrickFields())
    averages: AverageFields = section(AverageFields())
    pretraining: PretrainingFields = section(PretrainingFields())
    training: TrainingFields = section(TrainingFields())
