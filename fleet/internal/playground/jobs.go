package playground

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"pithings/fleet/internal/engine"
)

// job is one that is being done.
type job struct {
	id      string
	version int64
	done    time.Duration
	failed  bool
	again   bool // the device connects anew behind it
}

// installTime is how long firmware takes: the playground's devices count to three, two seconds
// each.
const installTime = 6 * time.Second

// maxJobID bounds a job's id, which becomes part of a topic.
const maxJobID = 64

// notified takes what is first in the queue.
func (d *Device) notified(payload []byte, out engine.Out) {
	var n struct {
		Execution json.RawMessage `json:"execution"`
	}
	if json.Unmarshal(payload, &n) == nil && n.Execution != nil {
		d.startNext(out)
	}
}

// queued takes the list of jobs.
func (d *Device) queued(payload []byte, out engine.Out) {
	var list struct {
		Queued []json.RawMessage `json:"queuedJobs"`
	}
	if json.Unmarshal(payload, &list) == nil && len(list.Queued) > 0 {
		d.startNext(out)
	}
}

// startNext asks for a job, one at a time.
func (d *Device) startNext(out engine.Out) {
	if d.job == nil {
		d.send(out, d.jobs("start-next"), []byte(`{"statusDetails":{"string":"IN_PROGRESS"},"stepTimeoutInMinutes":1}`), 0)
	}
}

// start begins with a job. Nothing is fetched from the addresses in its document: a fleet would
// be ten thousand downloads from wherever a job says.
func (d *Device) start(now time.Duration, payload []byte, out engine.Out) {
	var next struct {
		Execution *struct {
			ID       string `json:"jobId"`
			Version  int64  `json:"versionNumber"`
			Document struct {
				Action   string `json:"action"`
				Config   string `json:"config_file_url"`
				Firmware string `json:"firmware_file_url"`
				Unit     string `json:"unit"`
			} `json:"jobDocument"`
		} `json:"execution"`
	}
	if d.job != nil || json.Unmarshal(payload, &next) != nil || next.Execution == nil || !validJob(next.Execution.ID) {
		return
	}
	e := next.Execution
	d.job = &job{id: e.ID, version: e.Version, done: now}
	switch strings.ToLower(e.Document.Action) {
	case "rotate-cert":
		d.job.failed = e.Document.Config == ""
		d.job.again = !d.job.failed
	case "update-firmware":
		if d.job.failed = e.Document.Firmware == ""; !d.job.failed {
			d.job.done += installTime
		}
	case "change-unit":
		d.job.failed = e.Document.Unit == ""
	default:
		d.job.failed = true
	}
	if d.job.done <= now {
		d.finish(out)
	}
}

func validJob(id string) bool {
	return id != "" && len(id) <= maxJobID && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// finish reports what has come of a job.
func (d *Device) finish(out engine.Out) {
	j := d.job
	d.job = nil
	status := "SUCCEEDED"
	if j.failed {
		status = "FAILED"
	}
	d.send(out, d.jobs(j.id+"/update"), []byte(`{"status":"`+status+`","expectedVersion":`+strconv.FormatInt(j.version, 10)+`,"stepTimeoutInMinutes":1}`), 0)
	if j.again {
		out.Reconnect()
	}
}
