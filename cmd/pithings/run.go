package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/agent/flows"
	"pithings/mqttlink/clock"
)

func newRun() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the things and flows of a configuration, or the simulated ones",
		Long: `run makes things of the parts that a configuration names, connects them, and
runs the flows between them until Ctrl-C.

With --mock and no configuration it brings all it needs: four simulated things,
the flow motion → camera → screen, and a broker. With --mock and --config, the
things of the file are run with every part simulated.`,
		Example: `  pithings run --mock
  pithings run --config /etc/pithings/pithings.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := o.load(c.ErrOrStderr())
			if err != nil {
				return err
			}
			o.nextPort = o.mock
			return o.run(c.Context(), cfg, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVarP(&o.config, "config", "f", os.Getenv("PITHINGS_CONFIG"), "configuration file (see: pithings config example; or PITHINGS_CONFIG)")
	f.StringVarP(&o.endpoint, "endpoint", "e", "", "the broker, instead of the configuration's: HOST (mqtts on 8883) or mqtt://HOST:1883, …")
	o.add(f)
	f.StringVar(&o.level, "log", "", "least level logged: debug, info, warn or error")
	return c
}

func (o *runOptions) load(stderr io.Writer) (*config.Config, error) {
	if o.config == "" && !o.mock {
		return nil, usageError{errors.New("name a configuration with --config FILE, or say --mock to simulate one; pithings config example prints one to start from")}
	}
	// What the command line says overrides the environment as that overrides the file.
	env := os.Environ()
	flags := map[string]string{} // by the variable that says the same
	for _, f := range []struct{ flag, variable, value string }{
		{"--endpoint", "PITHINGS_MQTT_ENDPOINT", o.endpoint},
		{"--listen", "PITHINGS_HTTP_LISTEN", o.listen},
		{"--state", "PITHINGS_STATE", o.state},
		{"--log", "PITHINGS_LOG_LEVEL", o.level},
	} {
		if f.value != "" {
			env = append(env, f.variable+"="+f.value)
			flags[f.variable] = f.flag
		}
	}
	load := config.Load
	if o.mock {
		load = config.LoadMock
	}
	cfg, warnings, err := load(o.config, env)
	for _, w := range warnings {
		fmt.Fprintln(stderr, "pithings: warning:", w)
	}
	var problems *config.Error
	if errors.As(err, &problems) {
		for i, p := range problems.Problems {
			if flag, ok := flags[p.Source]; ok {
				problems.Problems[i].Source = flag
				err = usageError{problems}
			}
		}
	}
	return cfg, err
}

// runOptions are the flags of every command that runs an agent.
type runOptions struct {
	config, endpoint, listen, state, level string
	mock                                   bool
	nextPort                               bool
	flows                                  flows.DeployRequest // of flow run
}

func (o *runOptions) run(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	// Neither a reader that has stopped nor one that went away holds the things up;
	// the latter ends them.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := newOutput(stdout, func(error) { cancel() })
	defer lines.close()
	logged := newOutput(stderr, func(error) {})
	defer logged.close()
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return usagef("--log %s: say debug, info, warn or error", cfg.Log.Level)
	}
	log := newLog(logged, level)
	board, closeBoard, err := openBoard(o.mock, log)
	if err != nil {
		return err
	}
	defer closeBoard()
	state, remove, err := o.stateDir(cfg)
	if err != nil {
		return err
	}
	defer remove()
	if len(cfg.Things) == 0 && cfg.Broker.Listen == "" {
		favourLatency()
	}
	system := newSystemd(log)
	a, err := agent.New(agent.Options{
		Config:     cfg,
		Board:      board,
		State:      state,
		NextPort:   o.nextPort,
		Transcript: lines,
		Flows:      o.flows,
		Clock:      clock.Options{Trust: o.mock, Built: buildTime()},
		Ready: func() {
			system.ready()
			forgetStart()
		},
		Version: version,
		Log:     log,
	})
	if err != nil {
		return err
	}
	stop := system.watch(a)
	defer stop()
	return a.Run(ctx)
}

// favourLatency is for a process that has no parts (test/bench/flow). Flows wait for the
// network, one message at a time, and with several processors the runtime wakes a
// thread upon each message to look for work that is not there, which costs more than the
// work itself. And with the little garbage that an agent may keep, each fiftieth flow
// would meet a collection of a millisecond; 16 MiB more make that rare.
func favourLatency() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	collectAt(400)
}

// collectAt sets how much garbage there may be before it is collected, in percent of
// what is in use and not below that of 4 MiB. Who sets GOGC knows better.
func collectAt(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// stateDir returns the state folder. Simulated things leave nothing behind,
// unless a folder is asked for.
func (o *runOptions) stateDir(cfg *config.Config) (dir string, remove func(), err error) {
	if cfg.State == "" && o.mock {
		dir, err = os.MkdirTemp("", "pithings-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	dir, err = stateDir(cfg.State)
	return dir, func() {}, err
}
