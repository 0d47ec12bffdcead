package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/flow"
)

const counting = `name: X
vars: {count: 0, half: 1.0, last: null}
trigger: {thing: bell, event: StateChanged, when: value && vars.count < 3}
steps:
  - {name: Count, set: {count: "${vars.count + 1}", last: "${event.value}", half: "${vars.half / 2}"}}
  - {name: Tell, thing: phone, action: tell, input: {n: "${vars.count}"}}
`

// TestVars: what a step sets is seen by later executions, by triggers and by the next
// process, with its type.
func TestVars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(counting)
		h.happens("value", "a")
		h.happens("value", "b")
		sleep(2 * time.Second) // until it is saved
		h.restart(true, 0, counting)
		vars, err := h.e.Vars("X")
		if want := "map[count:2 half:0.25 last:b]"; err != nil || fmt.Sprint(vars) != want {
			t.Errorf("%v, %v; want %s", vars, err, want)
		}
		if _, ok := vars["count"].(int64); !ok {
			t.Errorf("count is a %T", vars["count"])
		}
		h.happens("value", "c")
		h.happens("value", "d") // the trigger's condition is false now
		h.want("01-01 00:00:00 tell[n:1]", "01-01 00:00:00 tell[n:2]", "01-01 00:00:02 tell[n:3]")
		// A new revision keeps those that it still has.
		h.deploy(strings.Replace(counting, "last: null", "more: 7, last: null", 1))
		vars, _ = h.e.Vars("X")
		if want := "map[count:3 half:0.125 last:c more:7]"; fmt.Sprint(vars) != want {
			t.Errorf("%v, want %s", vars, want)
		}
		if n := h.shelf.n; n > 4 {
			t.Errorf("%d writes", n)
		}
	})
}

// TestVarsAreBounded: a value that is too large fails the step, and changes nothing.
func TestVarsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(`name: X
vars: {text: "0123456789abcdef"}
steps:
  - {name: Double, set: {text: "${vars.text + vars.text}"}}
`)
		for range 12 {
			h.start("X")
			synctest.Wait()
		}
		vars, _ := h.e.Vars("X")
		if n := len(vars["text"].(string)); n > flow.MaxVarBytes || n < flow.MaxVarBytes/4 {
			t.Errorf("%d bytes", n)
		}
		stats, _ := h.e.Stats("X")
		if stats[0].Failed == 0 {
			t.Error("no execution failed")
		}
	})
}

// TestVarsAreNotLost: executions that count at the same time lose nothing.
func TestVarsAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(`name: X
vars: {n: 0}
overlap: {policy: parallel, limit: 100}
steps:
  - {name: A, set: {n: "${vars.n + 1}"}}
  - {name: B, set: {n: "${vars.n + 1}"}, needs: []}
`)
		for range 50 {
			h.start("X")
		}
		synctest.Wait()
		if vars, _ := h.e.Vars("X"); fmt.Sprint(vars["n"]) != "100" {
			t.Errorf("%v", vars)
		}
	})
}

const chain = `name: X
flows:
  - name: Outer
    steps:
      - {name: Before, thing: lamp, action: on}
      - {name: Call, flow: Inner, input: {seconds: 3}, output: result, retry: {errors: Jammed, attempts: 1}, catch: {errors: ALL, set: broken}}
      - {name: After, thing: lamp, action: show, input: {n: "${result.answer.n}"}}
      - {name: Broken, in: broken, thing: lamp, action: alarm}
  - name: Inner
    parameters: [seconds]
    steps:
      - {name: Work, thing: motor, action: run, input: {s: "${seconds}"}, output: answer}
      - {name: Rest, wait: 10m}
      - {name: Stop, thing: motor, action: stop}
`

// TestFlowInFlow: a step runs another flow with its inputs, and has its variables as
// the answer.
func TestFlowInFlow(t *testing.T) {
	for _, kill := range []int{0, 1, 2} { // not, ended, killed
		synctest.Test(t, func(t *testing.T) {
			h := newHome(t)
			h.deploy(chain)
			h.start("Outer")
			sleep(4 * time.Minute)
			if kill > 0 {
				h.restart(kill == 2, time.Minute, chain)
			}
			sleep(time.Hour)
			h.want("01-01 00:00:00 on", "01-01 00:00:00 run[s:3]", "01-01 00:10:00 stop", "01-01 00:10:00 show[n:2]")
			if kill == 2 {
				return
			}
			outer, inner := h.record.ended[h.record.order[0]], h.record.ended[h.record.order[1]]
			if outer.Status != flow.Succeeded || inner.Status != flow.Succeeded || inner.Parent != outer.ID {
				t.Errorf("%+v\n%+v", outer, inner)
			}
		})
	}
}

// TestFlowInFlowFails: the failure of the flow is the step's, with its name, so that
// retries and catches fit.
func TestFlowInFlowFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.device.answer = func(_ context.Context, action string, _ map[string]any) (map[string]any, error) {
			if action == "run" {
				return nil, scriptedError("Jammed")
			}
			return nil, nil
		}
		h.deploy(chain)
		h.start("Outer")
		sleep(time.Minute)
		if got, want := h.device.called(), "onmap[] runmap[s:3] runmap[s:3] alarmmap[]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if s := h.record.ended[h.record.order[0]].Status; s != flow.Succeeded {
			t.Errorf("it ended %s", s)
		}
	})
}

// TestFlowInFlowIsCancelled: what the step's flow does ends with the step: by its
// time-out, and with the execution.
func TestFlowInFlowIsCancelled(t *testing.T) {
	for _, timeout := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHome(t)
			text := chain
			if timeout {
				text = strings.Replace(chain, "output: result,", "output: result, timeout: 5m,", 1)
			}
			h.deploy(text)
			h.start("Outer")
			sleep(4 * time.Minute)
			if !timeout {
				if err := h.e.Abort(h.record.order[0]); err != nil {
					t.Fatal(err)
				}
			}
			sleep(time.Hour)
			synctest.Wait()
			if inner := h.record.ended[h.record.order[1]]; inner.Status != flow.Aborted {
				t.Errorf("%+v", inner)
			}
			if timeout != strings.Contains(h.device.called(), "alarm") || strings.Contains(h.device.called(), "stop") {
				t.Errorf("%s", h.device.called())
			}
		})
	}
}

// TestCirclesOfFlows: flows that would run one another for ever are refused.
func TestCirclesOfFlows(t *testing.T) {
	for name, text := range map[string]string{
		"itself":   strings.Replace(chain, "{name: Stop, thing: motor, action: stop}", "{name: Stop, flow: Inner, input: {seconds: 1}}", 1),
		"together": strings.Replace(chain, "{name: Stop, thing: motor, action: stop}", "{name: Stop, flow: Outer}", 1),
	} {
		err := parse(t, text)
		var problems *flow.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), "in a circle (") {
			t.Errorf("%s: %v", name, err)
		}
	}
	deep := "name: X\nflows:\n"
	for i := range flow.MaxCalls + 3 {
		deep += fmt.Sprintf("  - {name: F%d, steps: [{name: S, flow: F%d}]}\n", i, i+1)
	}
	deep += fmt.Sprintf("  - {name: F%d, steps: [{name: S, thing: t, action: a}]}\n", flow.MaxCalls+3)
	if err := parse(t, deep); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("deep: %v", err)
	}
}
