"""A veth end that takes what comes as the card of another machine does: on a processor of its own, and woken by a
timer. A sender of few frames at a time would else spend a third of its time on wakening the other end."""
import netlab

WAKE_NS = 10000  # at 20 Mpps the 256 places of veth's ring would be full so soon
IDLE_TURNS = 1000  # without a frame, until it sleeps again and the next frame wakes it


def like_another_machine(namespace, interface):
    netlab.napi_threaded(namespace, interface)
    settings = {"gro_flush_timeout": WAKE_NS, "napi_defer_hard_irqs": IDLE_TURNS}
    namespace.run("sh", "-c", "; ".join(f"echo {value} > /sys/class/net/{interface}/{name}"
                                        for name, value in settings.items()))
