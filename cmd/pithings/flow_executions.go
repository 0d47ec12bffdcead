package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/conf/suggest"
	"pithings/flow"
	"pithings/flow/history"
	"pithings/flowhost"
	"pithings/things"
)

// executionID is how the id of an execution ends.
var executionID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func newFlowExecutions(o *flowOptions) *cobra.Command {
	var (
		status string
		limit  int
	)
	c := &cobra.Command{
		Use:   "executions [NAME | EXECUTION-ID]",
		Short: "List the executions of flows, or show the events of one",
		Example: `  pithings flow executions SecurityFlow --status FAILED
  pithings flow executions 1c8e1a60-2f0c-4d5f-9d52-6f0f6d1b7a7e`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f := history.Filter{Status: flow.Status(strings.ToUpper(status)), Limit: limit}
			if !slices.Contains([]flow.Status{"", flow.Running, flow.Succeeded, flow.Failed, flow.Aborted}, f.Status) {
				return usagef("--status %s: say RUNNING, SUCCEEDED, FAILED or ABORTED", status)
			}
			if limit < 0 {
				return usagef("--limit: give a number from 0, which shows all")
			}
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				if len(args) == 1 && executionID.MatchString(args[0]) {
					s, err := desk.Execution(ctx, args[0])
					if err != nil {
						return err
					}
					return o.print(c, s, func(w *tabwriter.Writer) { storyRows(w, s) })
				}
				if len(args) == 1 {
					f.Deployment, f.Flow, _ = strings.Cut(args[0], "/")
				}
				list, err := desk.Executions(ctx, f)
				if err == nil && len(list) == 0 && len(args) == 1 {
					err = noDeployment(ctx, desk, args[0], f)
				}
				if err != nil {
					return err
				}
				return o.print(c, list, func(w *tabwriter.Writer) { executionRows(w, list) })
			})
		},
	}
	c.Flags().StringVar(&status, "status", "", "only RUNNING, SUCCEEDED, FAILED or ABORTED ones")
	c.Flags().IntVar(&limit, "limit", 20, "the newest so many; 0: all")
	return c
}

func executionRows(w *tabwriter.Writer, list []flow.Execution) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no executions")
		return
	}
	fmt.Fprintln(w, "STARTED\tDEPLOYMENT\tFLOW\tTRIGGER\tSTATUS\tTOOK\tEXECUTION\tREASON")
	for _, x := range list {
		took := "-"
		if !x.Ended.IsZero() {
			took = x.Ended.Sub(x.Started).Round(time.Millisecond).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", local(x.Started), x.Deployment, x.Flow, x.Trigger, x.Status, took, executionID.FindString(x.ID), things.Escape(x.Reason))
	}
}

func storyRows(w *tabwriter.Writer, s flowhost.Story) {
	x := s.Execution
	fmt.Fprintf(w, "execution:\t%s\nflow:\t%s of %s, revision %d\nstatus:\t%s\nstarted:\t%s\n", x.ID, x.Flow, x.Deployment, x.Revision, x.Status, local(x.Started))
	if x.Reason != "" {
		fmt.Fprintf(w, "reason:\t%s\n", things.Escape(x.Reason))
	}
	w.Flush()
	fmt.Fprintln(w)
	for _, e := range s.Events {
		payload, err := json.Marshal(e.Payload)
		if err != nil || string(payload) == "{}" {
			payload = nil
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", e.ID, e.Time.Local().Format("15:04:05.000"), e.Type, things.Escape(string(payload)))
	}
}

// noDeployment returns an error if nothing of that name is deployed: it is a typing
// error then, and not a flow that has not run.
func noDeployment(ctx context.Context, desk flowhost.Desk, name string, f history.Filter) error {
	list, err := desk.List(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, d := range list {
		names = append(names, d.Name)
		flowNames := make([]string, 0, len(d.Flows))
		for _, one := range d.Flows {
			flowNames = append(flowNames, one.Flow)
		}
		if d.Name != f.Deployment {
			continue
		}
		if f.Flow == "" || len(flowNames) == 0 || slices.Contains(flowNames, f.Flow) {
			return nil
		}
		return fmt.Errorf("deployment %s has no flow %q; it has %s", d.Name, f.Flow, strings.Join(flowNames, ", "))
	}
	switch near := suggest.Nearest(f.Deployment, names); {
	case near != "":
		return fmt.Errorf("there is no deployment %q; did you mean %s?", name, near)
	case len(names) == 0:
		return fmt.Errorf("there is no deployment %q: nothing is deployed", name)
	}
	return fmt.Errorf("there is no deployment %q; there are %s (an execution's id is the long one at the end of its line)", name, strings.Join(names, ", "))
}
