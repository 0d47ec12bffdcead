package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/history"
	"pithings/spool/control"
	"pithings/spool/state"
)

// historyOptions are those of the command.
type historyOptions struct {
	q         queueOptions
	from, to  string
	points    int
	csv, json bool
}

func newHistory() *cobra.Command {
	var o historyOptions
	c := &cobra.Command{
		Use:        "history [THING [QUANTITY]]",
		SuggestFor: []string{"chart", "charts"},
		Short:      "Show or export what things measured",
		Long: `history shows what a quantity of a thing was, from the files that an agent with
history: {enabled: true} keeps (docs/history-format.md): each second of the last day,
each minute of the last week, each hour of the last year, with minimum, mean and maximum.
Without QUANTITY it lists what there is.

It asks the running agent, and reads the state folder while none runs. A gap is a line
without values.`,
		Example: `  pithings history
  pithings history bme680 temperature
  pithings history bme680 temperature --from 7d --csv > week.csv
  pithings history bme680 temperature --from 2026-11-01 --to 2026-12-01 --points 300 --json`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if o.csv && o.json {
				return usagef("say --csv or --json, not both")
			}
			if len(args) < 2 {
				if o.csv {
					return usagef("--csv is of one quantity: pithings history THING QUANTITY --csv")
				}
				return o.list(c, args)
			}
			return o.show(c, args[0], args[1])
		},
	}
	o.q.agentFlags(c.Flags())
	c.Flags().StringVar(&o.from, "from", "24h", "begin at this time: 2026-11-30T09:46:04Z, 2026-11-30, seconds since 1970, or how long ago: 90m, 36h, 30d")
	c.Flags().StringVar(&o.to, "to", "", "end before this time (default now)")
	c.Flags().IntVar(&o.points, "points", 0, fmt.Sprintf("divide the range into so many parts, at most %d (default: with --csv as the file has them, else %d, in a table 24)", history.MaxPoints, history.DefaultPoints))
	c.Flags().BoolVar(&o.csv, "csv", false, "print CSV: time, minimum, mean, maximum, number of readings")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON, in columns (docs/api.md)")
	return c
}

// historyWait bounds an answer of the agent: a year of an export takes a second on a Pi.
const historyWait = time.Minute

// either calls ask with a client of the agent, or read with the folder of the files if none runs.
func (o *historyOptions) either(c *cobra.Command, ask func(context.Context, *control.Client) error, read func(dir string) error) error {
	t, err := o.q.target(c)
	if err != nil {
		return err
	}
	folder := state.Folder{Dir: t.dir}
	socket := folder.Socket()
	if t.agent != nil {
		socket = t.agent.Socket
	}
	client := control.NewClient(socket)
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context(), historyWait)
	defer cancel()
	if err = ask(ctx, client); errors.Is(err, control.ErrNoOwner) && t.agent == nil {
		return read(filepath.Join(t.dir, "history"))
	}
	return err
}

// list prints what there is.
func (o *historyOptions) list(c *cobra.Command, args []string) error {
	var all []history.Listed
	err := o.either(c, func(ctx context.Context, client *control.Client) (err error) {
		all, err = agent.AskHistories(ctx, client)
		return err
	}, func(dir string) (err error) {
		all, err = history.List(dir)
		return err
	})
	if err != nil {
		return err
	}
	shown := []history.Listed{}
	for _, l := range all {
		if len(args) == 0 || l.Thing == args[0] {
			shown = append(shown, l)
		}
	}
	if o.json {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(shown)
	}
	if len(shown) == 0 {
		return errors.New("there is no history; an agent keeps one with history: {enabled: true} in its configuration")
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "THING\tQUANTITY\tUNIT\tWRITTEN\tFILE")
	for _, l := range shown {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Thing, l.Quantity, l.Unit, local(l.Written), l.File)
	}
	return w.Flush()
}

// show prints a quantity.
func (o *historyOptions) show(c *cobra.Command, thing, quantity string) error {
	now := time.Now()
	q := history.Query{Now: now, Points: o.points}
	var err error
	if q.To, err = history.ParseTime(o.to, now, now); err != nil {
		return usagef("--to: %v", err)
	}
	if q.From, err = history.ParseTime(o.from, now, now); err != nil {
		return usagef("--from: %v", err)
	}
	if q.Points == 0 && !o.csv {
		q.Points = history.DefaultPoints
		if !o.json {
			q.Points = tablePoints
		}
	}
	if err := q.Check(); err != nil {
		return usagef("%v", err)
	}
	return o.either(c, func(ctx context.Context, client *control.Client) error {
		answer, err := agent.AskHistory(ctx, client, thing, quantity, q, o.csv)
		if err != nil {
			return err
		}
		defer answer.Close()
		if o.csv || o.json {
			_, err = io.Copy(c.OutOrStdout(), answer)
			return err
		}
		return printHistory(c.OutOrStdout(), answer)
	}, func(dir string) error {
		all, err := history.List(dir)
		if err != nil {
			return err
		}
		found, err := history.Find(all, thing, quantity)
		if err != nil {
			return err
		}
		f, err := history.OpenFile(dir, found.File)
		if err != nil {
			return err
		}
		defer f.Close()
		var table bytes.Buffer
		switch {
		case o.csv:
			err = f.WriteCSV(c.OutOrStdout(), q)
		case o.json:
			err = f.WriteJSON(c.OutOrStdout(), q)
		default:
			if err = f.WriteJSON(&table, q); err == nil {
				err = printHistory(c.OutOrStdout(), &table)
			}
		}
		if err == nil && f.Damaged() > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "pithings: %d pages of %s are damaged: they are gaps\n", f.Damaged(), found.File)
		}
		return err
	})
}

// tablePoints are the lines of a table.
const tablePoints = 24

// printHistory prints the JSON of a history as a table.
func printHistory(out io.Writer, r io.Reader) error {
	var h history.Answer
	if err := json.NewDecoder(r).Decode(&h); err != nil {
		return fmt.Errorf("the history: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	unit := ""
	if h.Unit != "" {
		unit = " " + h.Unit
	}
	value := func(column []*float64, i int) string {
		if i >= len(column) || column[i] == nil {
			return "-"
		}
		return strconv.FormatFloat(*column[i], 'f', -1, 64) + unit
	}
	fmt.Fprintln(w, "TIME\tMIN\tMEAN\tMAX\t")
	for i, at := range h.Times {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", local(time.Unix(at, 0)), value(h.Min, i), value(h.Mean, i), value(h.Max, i))
	}
	return w.Flush()
}
