# SPDX-License-Identifier: Apache-2.0
"""Drives huggingface_hub, any release, through the life of a schedule; prints one JSON object."""
import json

import huggingface_hub
from huggingface_hub import HfApi

api = HfApi()
result = {"version": huggingface_hub.__version__}
made = api.create_scheduled_job(image="busybox", command=["echo", "hello"], schedule="CRON_TZ=Europe/Paris 0 9 * * 1", secrets={"KEY": "value"},
                                timeout="1h", flavor="cpu-basic")
result["made"] = {"id": made.id, "schedule": made.schedule, "suspend": made.suspend, "concurrency": made.concurrency, "owner": made.owner.name,
                  "next": made.status.next_job_run_at is not None, "last": made.status.last_job, "image": made.job_spec.docker_image,
                  "command": made.job_spec.command, "timeout": made.job_spec.timeout}
result["listed"] = [schedule.id for schedule in api.list_scheduled_jobs()]
api.suspend_scheduled_job(scheduled_job_id=made.id)
result["suspended"] = api.inspect_scheduled_job(scheduled_job_id=made.id).suspend
api.resume_scheduled_job(scheduled_job_id=made.id)
result["resumed"] = api.inspect_scheduled_job(scheduled_job_id=made.id).suspend
if hasattr(api, "update_scheduled_job_labels"):
    result["labels"] = api.update_scheduled_job_labels(scheduled_job_id=made.id, labels={"name": "daily"}).job_spec.labels
if hasattr(api, "update_scheduled_job_schedule"):
    result["rescheduled"] = api.update_scheduled_job_schedule(scheduled_job_id=made.id, schedule="daily").schedule
if hasattr(api, "trigger_scheduled_job"):
    job = api.trigger_scheduled_job(scheduled_job_id=made.id)
    result["job"] = job.id
    result["last"] = api.inspect_scheduled_job(scheduled_job_id=made.id).status.last_job.id
api.delete_scheduled_job(scheduled_job_id=made.id)
try:
    api.inspect_scheduled_job(scheduled_job_id=made.id)
except Exception as error:
    result["gone"] = f"{type(error).__name__}: {error}"
try:
    api.create_scheduled_job(image="busybox", command=["true"], schedule="0 0 31 2 *", flavor="cpu-basic")
except Exception as error:
    result["refused"] = str(error)
print(json.dumps(result))
