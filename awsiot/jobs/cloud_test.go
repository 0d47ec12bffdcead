package jobs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// cloud is the jobs service for the thing pi, as its documents describe it, written without the
// code of the device.
type cloud struct {
	execs  []*exec // in the order in which they were queued
	refuse string  // the next request, with this code
	mute   bool    // rejections come without the execution's state
}

type exec struct {
	JobID    string            `json:"jobId"`
	Thing    string            `json:"thingName"`
	Number   int64             `json:"executionNumber"`
	Version  int64             `json:"versionNumber"`
	Status   Status            `json:"status"`
	Details  map[string]string `json:"statusDetails,omitempty"`
	Document json.RawMessage   `json:"jobDocument,omitempty"`
	Started  int64             `json:"startedAt,omitempty"`
}

type packet struct{ topic, payload string }

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const base = "$aws/things/pi/jobs/"

// first is the execution that is to be done next: one in progress before those that are queued.
func (c *cloud) first() *exec {
	var queued *exec
	for _, e := range c.execs {
		if e.Status == "IN_PROGRESS" {
			return e
		}
		if e.Status == "QUEUED" && queued == nil {
			queued = e
		}
	}
	return queued
}

// change does something, and notifies if the first execution is another one then.
func (c *cloud) change(do func()) []packet {
	before := c.first()
	do()
	e := c.first()
	switch {
	case e == before:
		return nil
	case e == nil:
		return []packet{{base + "notify-next", `{"timestamp":1}`}}
	}
	return []packet{{base + "notify-next", text(map[string]any{"timestamp": 1, "execution": e})}}
}

func (c *cloud) queue(id string, number int64, document string) []packet {
	return c.change(func() {
		c.execs = append(c.execs, &exec{JobID: id, Thing: "pi", Number: number, Version: 1, Status: "QUEUED", Document: json.RawMessage(document)})
	})
}

// end ends an execution from outside: CANCELED, TIMED_OUT, or REMOVED, which leaves nothing.
func (c *cloud) end(e *exec, status Status) []packet {
	return c.change(func() {
		if e.Status == "QUEUED" || e.Status == "IN_PROGRESS" {
			e.Status = status
			e.Version++
		}
	})
}

func (c *cloud) find(id string, number int64) *exec {
	for _, e := range c.execs {
		if e.JobID == id && (number == 0 || e.Number == number) && e.Status != Removed {
			return e
		}
	}
	return nil
}

// serve answers a request.
func (c *cloud) serve(p packet) []packet {
	var in struct {
		Status                   Status
		StatusDetails            map[string]string
		ExpectedVersion          any
		ExecutionNumber          int64
		IncludeJobExecutionState bool
		StepTimeoutInMinutes     int64
		ClientToken              string
	}
	if err := json.Unmarshal([]byte(p.payload), &in); err != nil {
		panic(err)
	}
	answer := func(what string, more map[string]any) packet {
		more["timestamp"], more["clientToken"] = 1, in.ClientToken
		return packet{p.topic + what, text(more)}
	}
	reject := func(code string, e *exec) []packet {
		more := map[string]any{"code": code, "message": "no"}
		if e != nil && !c.mute {
			more["executionState"] = map[string]any{"status": e.Status, "versionNumber": e.Version}
		}
		return []packet{answer("/rejected", more)}
	}
	if code := c.refuse; code != "" {
		c.refuse = ""
		return reject(code, nil)
	}
	rest := strings.TrimPrefix(p.topic, base)
	if rest == "start-next" {
		if in.StepTimeoutInMinutes < 1 {
			return reject("InvalidRequest", nil)
		}
		more := map[string]any{}
		if e := c.first(); e != nil {
			if e.Status == "QUEUED" {
				e.Status = "IN_PROGRESS"
				e.Version++
			}
			more["execution"] = e
		}
		return []packet{answer("/accepted", more)}
	}
	id, op, _ := strings.Cut(rest, "/")
	e := c.find(id, in.ExecutionNumber)
	if e == nil {
		return reject("ResourceNotFound", nil)
	}
	if op == "get" {
		return []packet{answer("/accepted", map[string]any{"execution": e})}
	}
	switch {
	case e.Status.Final():
		return reject([]string{"TerminalStateReached", "InvalidStateTransition"}[e.Number%2], e)
	case fmt.Sprint(in.ExpectedVersion) != strconv.FormatInt(e.Version, 10):
		return reject("VersionMismatch", e)
	case len(in.StatusDetails) > 10:
		return reject("InvalidRequest", e)
	}
	var out []packet
	notes := c.change(func() {
		e.Status = in.Status
		if in.StatusDetails != nil {
			e.Details = in.StatusDetails
		}
		e.Version++
		more := map[string]any{}
		if in.IncludeJobExecutionState {
			more["executionState"] = map[string]any{"status": e.Status, "statusDetails": e.Details, "versionNumber": e.Version}
		}
		out = append(out, answer("/accepted", more))
	})
	return append(out, notes...)
}
