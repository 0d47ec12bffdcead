package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pithings/awsiot/jobs"
	"pithings/flow"
	"pithings/flow/history"
	"pithings/flowhost"
)

// flowRun is what a run-flow saves: that the flow is about to be started, and which execution
// that was.
type flowRun struct {
	Begun     bool   `json:"begun"`
	Execution string `json:"execution,omitempty"`
}

// runFlow starts a flow and waits for the end of the execution. It is started once: a job that
// is taken up again waits for the execution that it noted. One that was killed between the start
// and the note has failed, since whether the flow ran is not known.
func (s *jobService) runFlow(ctx context.Context, j *jobs.Job) jobs.Result {
	of := flowRun{Execution: j.Details["execution"]}
	if j.Data != nil {
		if err := json.Unmarshal(j.Data, &of); err != nil {
			return jobs.Fail(err.Error())
		}
	}
	switch {
	case of.Execution != "":
	case of.Begun:
		return jobs.Fail("the agent ended as it started the flow: whether it ran shows pithings flow executions; it is not started again")
	default:
		var document struct {
			Flow  string         `json:"flow"`
			Input map[string]any `json:"input"`
		}
		if err := j.Decode(&document); err != nil {
			return jobs.Reject(err.Error())
		}
		if document.Flow == "" {
			return jobs.Reject(`the document names no flow: {"action": "run-flow", "flow": "SecurityFlow", "input": {}}`)
		}
		name, inner, _ := strings.Cut(document.Flow, "/")
		result, ok := s.startFlow(ctx, j, &of, flowhost.StartRequest{Deployment: name, Flow: inner, Args: document.Input})
		if !ok {
			return result
		}
	}
	x, err := s.flows.await(ctx, of.Execution)
	switch {
	case ctx.Err() != nil:
		return jobs.Result{} // taken up again
	case err != nil:
		return jobs.Fail(err.Error())
	}
	details := map[string]string{"execution": x.ID, "execution_status": string(x.Status), "took": x.Ended.Sub(x.Started).Round(time.Millisecond).String()}
	if x.Status == flow.Succeeded {
		return jobs.Done(details)
	}
	details["reason"] = x.Reason
	return jobs.Result{Status: jobs.Failed, Details: details}
}

// startFlow starts a flow and notes its execution. If ok is false, the job has that result. What
// a reload has ended since it was found, or has not yet begun, has started nothing: the flow is
// started in what comes after.
func (s *jobService) startFlow(ctx context.Context, j *jobs.Job, of *flowRun, r flowhost.StartRequest) (result jobs.Result, ok bool) {
	for {
		changed := s.flows.changed.wait()
		flows, err := s.flows.ready(ctx)
		if err != nil {
			return jobs.Result{}, false // begun again
		}
		of.Begun = true
		if err := j.Save(of); err != nil {
			return jobs.Fail("the flow is not started, because that cannot be noted: " + err.Error()), false
		}
		of.Execution, err = flows.Start(ctx, r)
		if err == nil {
			break
		}
		if !errors.Is(err, flowhost.ErrNotRunning) {
			return jobs.Reject(err.Error()), false
		}
		of.Begun = false
		if err := j.Save(of); err != nil {
			return jobs.Fail("the flow is not started, because that cannot be noted: " + err.Error()), false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return jobs.Result{}, false // begun again
		}
	}
	_ = j.Save(of) // it has been logged
	j.Progress(map[string]string{"execution": of.Execution})
	return result, true
}

// ready waits until there are flows: there are none while a reload makes them anew.
func (s *flowService) ready(ctx context.Context) (*flowhost.Flows, error) {
	for {
		changed := s.changed.wait()
		if f := s.current(); f != nil {
			return f, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await waits for the end of an execution, also if a reload makes the flows anew meanwhile.
func (s *flowService) await(ctx context.Context, id string) (flow.Execution, error) {
	for {
		changed := s.changed.wait()
		f, err := s.ready(ctx)
		if err != nil {
			return flow.Execution{}, err
		}
		x, err := flowhost.Await(ctx, f, id)
		switch {
		case err == nil:
			return x, nil
		case !errors.Is(err, history.ErrClosed):
			return x, fmt.Errorf("how the flow has ended is not known: %w", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return flow.Execution{}, ctx.Err()
		}
	}
}
