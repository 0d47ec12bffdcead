package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/conf"
	"pithings/quietlog"
	"pithings/spool/control"
)

func newLastLines() *cobra.Command {
	var q queueOptions
	var o flowOptions
	var least, part string
	var n uint
	c := &cobra.Command{
		Use:   "log",
		Short: "Show the last lines of the running agent's log, and set the level of a part",
		Long: `log asks the agent that runs here for the last lines of its log, some hundred at
most. They have no secrets. The journal or standard error has all.`,
		Example: "  pithings log --level warn\n  pithings log level links debug --for 10m",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return q.ask(c, healthWait, func(ctx context.Context, client *control.Client) error {
				all, err := agent.AskLog(ctx, client, url.Values{"level": {least}, "part": {part}, "limit": {strconv.FormatUint(uint64(n), 10)}})
				if err != nil {
					return err
				}
				return o.print(c, all, func(w *tabwriter.Writer) {
					for _, l := range all {
						fmt.Fprintln(w, logLine(&l))
					}
				})
			})
		},
	}
	c.Flags().StringVar(&least, "level", "", "least level of the lines: debug, info, warn or error")
	c.Flags().StringVar(&part, "part", "", "part of the agent that they are of")
	c.Flags().UintVarP(&n, "lines", "n", 0, "print the last so many; 0: all that are kept")
	var span time.Duration
	level := &cobra.Command{
		Use:   "level [PART LEVEL]",
		Short: "List the least level that is logged of each part, or set one",
		Long: `level lists the parts of the agent with the least level that is logged of each, or
sets that of one: debug, info, warn, error, or default for the configuration's.
The names of things are parts, too, and all is all. A level that was set ends
with the agent, or after --for.`,
		Example: "  pithings log level\n  pithings log level TG_Camera debug --for 10m\n  pithings log level TG_Camera default",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return usagef("name a part and its level, or nothing")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var set *agent.SetLogLevel
			if len(args) == 2 {
				set = &agent.SetLogLevel{Part: args[0], Level: args[1], For: conf.Duration{Duration: span}}
				if args[1] == "default" {
					set.Level = ""
				}
			}
			return q.ask(c, healthWait, func(ctx context.Context, client *control.Client) error {
				all, err := agent.AskLogLevels(ctx, client, set)
				if err != nil {
					return err
				}
				return o.print(c, all, func(w *tabwriter.Writer) { printLevels(w, all) })
			})
		},
	}
	level.Flags().DurationVar(&span, "for", 0, "how long the level stays, 1s to 720h; without it until the agent ends")
	for _, one := range []*cobra.Command{c, level} {
		q.agentFlags(one.Flags())
		one.Flags().BoolVar(&o.json, "json", false, "print JSON")
	}
	c.AddCommand(level)
	return c
}

// logLine is a line as it is printed.
func logLine(l *quietlog.Line) string {
	return strings.TrimSuffix(fmt.Sprintf("%s %-5s %s: %s %s", l.Time.Local().Format("2006-01-02 15:04:05"), l.Level, l.Part, quietlog.OneLine(l.Message), quietlog.OneLine(l.Attrs)), " ")
}

func printLevels(w *tabwriter.Writer, all []agent.LogLevel) {
	fmt.Fprintln(w, "PART\tLEVEL\tSET")
	for _, l := range all {
		set := "-"
		switch {
		case l.Set && !l.Until.IsZero():
			set = "until " + local(l.Until)
		case l.Set:
			set = "until the agent ends"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Part, l.Level, set)
	}
}
