package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/conf"
	"pithings/dashboard"
	"pithings/flowhost"
	"pithings/mqttlink/clock"
)

func newRun() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:        "run [FILE]",
		SuggestFor: []string{"start", "serve", "daemon", "agent", "up"},
		Short:      "Run the things and flows of a configuration, or the simulated ones",
		Long: `run makes things of the parts that a configuration names, connects them, and
runs the flows between them until Ctrl-C.

With --mock and no configuration it brings all it needs: four simulated things,
the flow motion → camera → screen, and a broker. With --mock and --config, the
things of the file are run with every part simulated.`,
		Example: `  pithings run --mock
  pithings run /etc/pithings/pithings.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if c.Flags().Changed("config") {
					return usagef("%s and --config %s both name a configuration: give one of them", args[0], o.config)
				}
				o.config = args[0]
			}
			cfg, err := o.load(c)
			if err != nil {
				return err
			}
			o.nextPort = o.mock
			if o.config != "" {
				o.reread = func(over config.Over) (*config.Config, []conf.Warning, error) { return o.checked(c, over) }
			}
			return o.run(c.Context(), cfg, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.addAll(c.Flags())
	return c
}

// addAll adds the flags of run.
func (o *runOptions) addAll(f *pflag.FlagSet) {
	f.StringVarP(&o.config, "config", "f", os.Getenv("PITHINGS_CONFIG"), "configuration file (see: pithings config example; or PITHINGS_CONFIG)")
	o.conn.add(f, letters{"endpoint": "e", "host": "h", "port": "p"})
	o.add(f)
	f.StringVar(&o.level, "log", "", "least level logged: debug, info, warn or error")
}

// load reads the configuration, and checks all that it names.
func (o *runOptions) load(c *cobra.Command) (*config.Config, error) {
	cfg, warnings, flags, err := o.read(c, config.Accepted(o.usualState))
	if err == nil {
		warnings, err = withCheck(cfg, warnings)
	}
	warn(c.ErrOrStderr(), warnings, flags)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return nil, err
	case err != nil:
		return nil, blameFlags(&codeError{err, exitConfig, false}, flags)
	}
	return cfg, nil
}

// withCheck adds what agent.Check says. Whether certificates are in their time shows when the
// clock is right.
func withCheck(cfg *config.Config, warnings []conf.Warning) ([]conf.Warning, error) {
	more, err := agent.Check(cfg, time.Time{})
	return append(warnings, more...), err
}

// checked is load for a reload, which logs what load prints.
func (o *runOptions) checked(c *cobra.Command, over config.Over) (*config.Config, []conf.Warning, error) {
	cfg, warnings, _, err := o.read(c, over)
	if err == nil {
		warnings, err = withCheck(cfg, warnings)
	}
	return cfg, warnings, err
}

// read reads the configuration. flags are those that have given something, by the names of
// the variables for which they stand.
func (o *runOptions) read(c *cobra.Command, over config.Over) (_ *config.Config, _ []conf.Warning, flags map[string]string, _ error) {
	if o.config == "" && !o.mock {
		return nil, nil, nil, usageError{errors.New("name a configuration, pithings run FILE, or say --mock to simulate one; pithings config example prints one to start from")}
	}
	// What the command line says overrides the environment as that overrides the file.
	given, flags, err := o.conn.overrides(c, "")
	if err != nil {
		return nil, nil, nil, err
	}
	env := append(os.Environ(), given...)
	for _, f := range []struct{ flag, variable, value string }{
		{"--listen", "PITHINGS_HTTP_LISTEN", o.listen},
		{"--state", "PITHINGS_STATE", o.state},
		{"--log", "PITHINGS_LOG_LEVEL", o.level},
	} {
		if f.value != "" {
			env = append(env, f.variable+"="+f.value)
			flags[f.variable] = f.flag
		}
	}
	cfg, warnings, err := config.LoadWith(o.config, env, config.With{Mock: o.mock, State: o.usualState, Over: over})
	return cfg, warnings, flags, err
}

// usualState is the state folder of a configuration; "" is that there is none yet, as that of a
// simulation.
func (o *runOptions) usualState(c *config.Config) string { return usualStateOf(c, o.mock) }

// runOptions are the flags of every command that runs an agent.
type runOptions struct {
	config, listen, state, level string
	conn                         connection // of run
	mock                         bool
	nextPort                     bool
	transcript                   optional
	flows                        flowhost.DeployRequest // of flow run
	reread                       func(config.Over) (*config.Config, []conf.Warning, error)
}

// optional is a flag whose default depends on where the command runs.
type optional struct{ said, value bool }

func (o *optional) asked(otherwise bool) bool {
	if o.said {
		return o.value
	}
	return otherwise
}

// The methods of pflag.Value.
func (o *optional) String() string { return "" }
func (o *optional) Type() string   { return "bool" }
func (o *optional) Set(text string) (err error) {
	o.said = true
	o.value, err = strconv.ParseBool(text)
	return err
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
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return usagef("--log %s: say debug, info, warn or error", cfg.Log.Level)
	}
	log := newLog(logged, level, cfg.Log.Format == config.LogJSON)
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
	// A journal is no place for each message, in one direction or the other.
	var transcript io.Writer
	if o.transcript.asked(!service()) {
		transcript = lines
	}
	system := newSystemd(log)
	a, err := agent.New(agent.Options{
		Config:     cfg,
		Board:      board,
		State:      absolute(state),
		Simulated:  o.mock,
		Shared:     true,
		ConfigFile: o.configFile(),
		NextPort:   o.nextPort,
		Transcript: transcript,
		Flows:      o.flows,
		Clock:      clock.Options{Trust: o.mock, Built: buildTime()},
		Ready:      system.ready,
		Pulse:      system.pulse,
		Load:       o.reread, Level: level, Reloading: system.reloading,
		Doctor: func(ctx context.Context) (doctor.Report, error) {
			return diagnose(ctx, o.mock, cfg, o.config, o.reread, config.Accepted(o.usualState))
		},
		Services: []func(*agent.Agent) (agent.Service, error){func(*agent.Agent) (agent.Service, error) { return dashboard.Page{}, nil }},
		Version:  version,
		Log:      log,
	})
	if err != nil {
		return err
	}
	if o.mock {
		tellSimulation(log, a, state)
	}
	stop := system.watch(a)
	defer stop()
	defer onHangup(ctx, a, log)()
	err = a.Run(ctx)
	return errors.Join(err, atTheEnd(logged, a.Rest(), "the next run with this state folder delivers it", o.mock && cfg.State == ""))
}

// tellSimulation logs where a simulation can be watched. Its state folder is another each
// time.
func tellSimulation(log *slog.Logger, a *agent.Agent, state string) {
	where := []any{"state", state, "broker", a.Endpoint(), "client_id", a.ClientID()}
	if web := a.WebURL(); web != "" {
		where = append(where, "page", web+"/", "pictures", web+"/pictures/")
		for _, name := range a.Mirrors() {
			where = append(where, "screen", web+"/screen/"+name+".png")
		}
	}
	log.Info("this is a simulation", where...)
}

// configFile is the path of the configuration by which other commands find the agent.
func (o *runOptions) configFile() string {
	if o.config == "" {
		return ""
	}
	return absolute(o.config)
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

// add adds the flags that all commands with an agent have.
func (o *runOptions) add(f *pflag.FlagSet) {
	f.BoolVar(&o.mock, "mock", false, "simulate the parts")
	f.StringVar(&o.listen, "listen", "", "address of the web server (default 127.0.0.1:8080)")
	f.Var(&o.transcript, "transcript", "print a line for each message; the default but for a service whose output is the journal")
	f.Lookup("transcript").NoOptDefVal = "true"
	addState(f, &o.state)
}
