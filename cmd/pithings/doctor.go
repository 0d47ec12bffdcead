package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/conf"
	"pithings/hw/probe"
	"pithings/mqttlink/clock"
	"pithings/spool/control"
)

func newDoctor() *cobra.Command {
	var (
		o    partOptions
		file string
	)
	c := &cobra.Command{
		Use:        "doctor",
		SuggestFor: []string{"status", "check", "diagnose", "health", "info"},
		Short:      "Look at all parts, tell what is wrong and what fixes it",
		Long: `doctor looks at the parts that a configuration names, or at the usual ones of a
Pi (GPIO17, I²C bus 1, /dev/video0, /dev/fb0), and prints for each what it found,
what is wrong, and the line that fixes it. It changes nothing, and can be run
beside an agent.

Exit status 0: nothing is wrong, but for warnings; 1: something is.`,
		Example: "  pithings doctor\n  pithings doctor --config /etc/pithings/pithings.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// What a log would warn of is in the report.
			log := newLog(c.ErrOrStderr(), slog.LevelError, false)
			if o.verbose {
				log = o.log(c.ErrOrStderr())
			}
			report, err := examine(c.Context(), o.mock, file, log)
			if err != nil {
				return err
			}
			if err := printReport(c.OutOrStdout(), report, o); err != nil {
				return err
			}
			switch n := report.Failed(); n {
			case 0:
				return nil
			case 1:
				return fmt.Errorf("1 problem found")
			default:
				return fmt.Errorf("%d problems found", n)
			}
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&file, "config", "f", "", "examine the parts of this configuration")
	return c
}

func examine(ctx context.Context, mock bool, file string, log *slog.Logger) (doctor.Report, error) {
	if file == "" {
		return examineParts(ctx, mock, nil, nil, log)
	}
	cfg, warnings, err := loadConfig(file, mock)
	if err != nil { // which parts it means is not known
		return doctor.Configuration(file, cfg, warnings, err), nil
	}
	more, err := agent.Check(cfg, time.Now())
	return examineParts(ctx, mock, cfg, doctor.Configuration(file, cfg, append(warnings, more...), err), log)
}

// diagnose is examine for an agent that is asked from afar: it looks at the configuration with
// which the agent would start, and the parts, on a board of its own. cfg is the one with which
// it has started, and reread, if not nil, reads that of the file again.
func diagnose(ctx context.Context, mock bool, cfg *config.Config, file string, reread func(config.Over) (*config.Config, []conf.Warning, error), over config.Over) (doctor.Report, error) {
	log := slog.New(slog.DiscardHandler)
	if reread == nil {
		return examineParts(ctx, mock, cfg, nil, log)
	}
	now, warnings, err := reread(over)
	report := doctor.Configuration(file, now, warnings, err)
	if err == nil {
		cfg = now
	}
	return examineParts(ctx, mock, cfg, report, log)
}

// examineParts adds to a report what is found of the machine and of the parts of a
// configuration; nil: the usual ones.
func examineParts(ctx context.Context, mock bool, cfg *config.Config, report doctor.Report, log *slog.Logger) (doctor.Report, error) {
	o := doctor.Options{Built: buildTime(), Config: cfg}
	board, closeBoard, err := openBoard(mock, log)
	if err != nil {
		return append(report, doctor.NoBoard(err)), nil
	}
	defer closeBoard()
	o.Board = board
	if !mock {
		o.Machine, o.Clock = probe.ThisMachine(), clock.ThisMachine()
		report = append(report, runningAgents(ctx, control.UsualPlaces())...)
	}
	parts, err := doctor.Examine(ctx, o)
	return append(report, parts...), err
}

func printReport(w io.Writer, r doctor.Report, o partOptions) error {
	if o.json {
		return r.JSON(w)
	}
	return r.Text(w, o.verbose)
}
