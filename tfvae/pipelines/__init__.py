"""Pipelines of Apache Beam, which run an exported model on many machines.

They need the extra `beam`: `pip install 'tfvae[beam]'`. `docs/scaling.md` has
the commands.
"""
