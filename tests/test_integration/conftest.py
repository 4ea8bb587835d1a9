from tests.recalculation import live_recalculation

__all__ = ["live_recalculation"]
