package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	gateway "pithings/gateway/field"
	"pithings/spool/control"
)

func newGateway() *cobra.Command {
	var q queueOptions
	var o flowOptions
	c := &cobra.Command{
		Use:   "gateway",
		Short: "Look at the gateway's alarms and rules; import and export Device Supervisor's files",
		Long: `gateway shows what the gateway of the running agent does (docs/gateway.md): its
alarms and its rules with scripts. It also reads and writes the files of InHand's
Device Supervisor.`,
		Example: "  pithings gateway alarms\n  pithings gateway acknowledge Warm\n  pithings gateway rules --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("say alarms, acknowledge, rules, import or export")
		},
	}
	ask := func(c *cobra.Command, do func(context.Context, *control.Client) error) error {
		return q.ask(c, gatewayWait, do)
	}
	alarms := &cobra.Command{
		Use: "alarms", Short: "List the alarms", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, func(ctx context.Context, client *control.Client) error {
				state, err := agent.AskGateway(ctx, client)
				if err != nil {
					return err
				}
				return o.print(c, state.Alarms, func(w *tabwriter.Writer) { printAlarms(w, state.Alarms) })
			})
		},
	}
	acknowledge := &cobra.Command{
		Use: "acknowledge NAME", Aliases: []string{"ack"}, Short: "Note that someone knows of an alarm", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return ask(c, func(ctx context.Context, client *control.Client) error {
				a, err := agent.AskAcknowledge(ctx, client, args[0])
				if err != nil {
					return err
				}
				if !a.On {
					fmt.Fprintf(c.ErrOrStderr(), "pithings: alarm %s is not triggered: there is nothing to acknowledge\n", a.Name)
				}
				return o.print(c, a, func(w *tabwriter.Writer) { printAlarms(w, []gateway.ListedAlarm{a}) })
			})
		},
	}
	rules := &cobra.Command{
		Use: "rules", Short: "List the rules, with what they did", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, func(ctx context.Context, client *control.Client) error {
				state, err := agent.AskGateway(ctx, client)
				if err != nil {
					return err
				}
				return o.print(c, state.Rules, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "RULE\tKIND\tCALLS\tFAILED\tSKIPPED\tPUBLISHED\tREFUSED\tERROR")
					for _, r := range state.Rules {
						fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", r.Name, r.Kind, r.Calls, r.Failed, r.Skipped, r.Published, r.Refused, r.Error)
					}
				})
			})
		},
	}
	for _, sub := range []*cobra.Command{alarms, acknowledge, rules} {
		q.agentFlags(sub.Flags())
		sub.Flags().BoolVar(&o.json, "json", false, "print JSON")
		c.AddCommand(sub)
	}
	c.AddCommand(newGatewayImport(), newGatewayExport())
	return c
}

// gatewayWait bounds an answer of the agent.
const gatewayWait = 10 * time.Second

func printAlarms(w *tabwriter.Writer, all []gateway.ListedAlarm) {
	fmt.Fprintln(w, "ALARM\tLEVEL\tSTATE\tSINCE\tVALUE\tOF\tCONTENT")
	for _, a := range all {
		state := "cleared"
		switch {
		case a.On && a.Acknowledged:
			state = "acknowledged"
		case a.On:
			state = "triggered"
		case a.Since.IsZero():
			state = "-"
		}
		value := "-"
		if a.Value != nil {
			value = fmt.Sprint(a.Value)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s.%s\t%s\n", a.Name, a.Level, state, local(a.Since), value, a.Device, a.Variable, a.Content)
	}
}
