from neurometa.behaviour.performance import mean_interval, regret

__all__ = ["mean_interval", "regret"]
