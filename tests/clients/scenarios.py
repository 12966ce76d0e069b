"""Every operation that is built, in the order in which an API's owner meets them."""

import time

import apis
import deployments
import domains
import files
import kept
import keys
import methods
import parts
import plans
import tags
from cluster import Backend


def run(cluster):
    with Backend() as backend:
        for scenario in (apis, methods, parts, domains, deployments, kept, files, keys, plans, tags):
            began = time.time()
            scenario.run(cluster, backend)
            print(f"ok  {scenario.__name__}  {time.time() - began:.1f} s", flush=True)
    missing = cluster.missing()
    assert not missing, f"operations that no scenario called: {missing}"
    print(f"ok  {len(cluster.recorder.called)} operations called", flush=True)
