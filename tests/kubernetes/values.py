"""Values of the chart: those of the first install, and changes of them."""

USER = "verdmarc"
SECRET = "kafka-password"
PASSWORD = "password"  # the Secret's key
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def first_values(brokers, image):
    """Two verdict pods and one that makes reports, of windows that are over soon."""
    repository, tag = image.rsplit(":", 1)
    return {
        "image": {"repository": repository, "tag": tag},
        "kafka": {
            "brokers": brokers,
            "sasl": {"mechanism": "SCRAM-SHA-512", "username": USER, "secret": SECRET, "passwordKey": PASSWORD},
        },
        "receiver": {"domain": "mx.example.org", "organization": "Example Org", "contact": "dmarc@example.org"},
        "config": {
            # The cluster's machine has neither DNS nor a way out.
            "dns": {"zone": "/zone/zone.json"},
            # What members that went had is read by others after this time.
            "kafka": {"session_timeout_ms": 15000},
            "aggregate": {"window_s": 60, "allow_short_windows": True, "grace_s": 5, "partition_bytes": 16777216, "process_bytes": 67108864},
            "verdict": {"budget_bytes": 134217728},
        },
        "topics": {"partitions": 6, "replicationFactor": 1, "minInsyncReplicas": 1},
        "verdict": {"replicas": 2, "resources": SMALL},
        "aggregate": {"enabled": True, "replicas": 1, "resources": SMALL},
        "extraVolumes": [{"name": "zone", "configMap": {"name": "zone"}}],
        "extraVolumeMounts": [{"name": "zone", "mountPath": "/zone", "readOnly": True}],
    }


# Settings of both roles, so that every pod is another one.
CHANGED = {"config": {"kafka": {"linger_ms": 10}}}
# The chart cannot know that these two contradict each other: `config check` says so.
BAD = {"config": {"kafka": {"session_timeout_ms": 6000, "heartbeat_interval_ms": 5000}}}
WHY_BAD = "kafka.heartbeat_interval_ms must be at most a third of kafka.session_timeout_ms"


def replicas(count):
    return {"verdict": {"replicas": count}}
