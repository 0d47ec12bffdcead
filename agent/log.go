package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pithings/agent/events"
	"pithings/api"
	"pithings/conf"
	"pithings/quietlog"
	"pithings/spool/control"
)

const logName = "log"

// logService shows the end of the log, and sets the least level of each part while it runs.
type logService struct {
	log      *slog.Logger
	recent   *quietlog.Recent
	things   func() []string
	parts    func() []string
	standard func() string // the level of the configuration

	mu  sync.Mutex
	set map[string]*partLevel // by part or thing
}

// partLevel is a level that was set.
type partLevel struct {
	level slog.Level
	until time.Time   // zero: until the agent ends
	timer *time.Timer // nil: no end
}

// maxLevelTime is how long a level can be set for.
const maxLevelTime = 30 * 24 * time.Hour

// LogLevel is the least level of a part of the agent.
type LogLevel struct {
	Part  string    `json:"part" jsonschema:"a part of the agent, a thing, or all"`
	Level string    `json:"level" jsonschema:"debug, info, warn or error"`
	Set   bool      `json:"set" jsonschema:"it differs from the configuration until the agent ends"`
	Until time.Time `json:"until,omitzero" jsonschema:"or until then"`
}

// SetLogLevel asks for another level of a part.
type SetLogLevel struct {
	Part  string        `json:"part" jsonschema:"a part of the agent, a thing, or all"`
	Level string        `json:"level" jsonschema:"debug, info, warn or error; empty: as configured"`
	For   conf.Duration `json:"for,omitzero" jsonschema:"how long, such as 10m; without it until the agent ends"`
}

// Name implements Service.
func (s *logService) Name() string { return logName }

// Run waits until ctx is done; then the levels are as configured.
func (s *logService) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.set {
		s.unset(name)
	}
	s.apply()
	return nil
}

// Events implements Happening.
func (s *logService) Events() []events.Source {
	return []events.Source{{Kind: "log", Asked: true, Follow: func(add func(any)) func() {
		return s.recent.Follow(func(l quietlog.Line) { add(l) })
	}}}
}

const (
	logPath       = "/api/v1/log"
	logLevelsPath = logPath + "/levels"
)

// Routes implements Router.
func (s *logService) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: logPath, For: api.Look, Doc: "show the last lines of the log", Gives: []quietlog.Line{},
			Params: []api.Param{
				{Name: "level", Doc: "the least level of the lines: debug, info, warn or error"},
				{Name: "part", Doc: "of which they are"},
				{Name: "after", Doc: "the number of a line: only later ones", Type: "integer"},
				{Name: "limit", Doc: "the last so many", Type: "integer"},
			},
			Handler: api.JSON(func(r *http.Request) (any, error) { return s.lines(r.URL.Query()) })},
		{Method: http.MethodGet, Path: logLevelsPath, For: api.Look, Doc: "list the least level that is logged of each part", Gives: []LogLevel{},
			Handler: api.JSON(func(*http.Request) (any, error) { return s.levels(), nil })},
		{Method: http.MethodPost, Path: logLevelsPath, For: api.Act, Doc: "set the least level of a part, until the agent ends or for a while", Takes: SetLogLevel{}, Gives: []LogLevel{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in SetLogLevel
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				return s.change(&in)
			})},
	}
}

// badLog is of a request that cannot be read.
func badLog(format string, args ...any) error {
	return fmt.Errorf("%s (%w)", fmt.Sprintf(format, args...), api.Status(http.StatusBadRequest))
}

// lines are those that a query asks for, the oldest first.
func (s *logService) lines(q url.Values) ([]quietlog.Line, error) {
	least := slog.LevelDebug
	if text := q.Get("level"); text != "" {
		if err := least.UnmarshalText([]byte(text)); err != nil {
			return nil, badLog("level %.20q: say debug, info, warn or error", text)
		}
	}
	numbers := map[string]uint64{}
	for _, name := range []string{"after", "limit"} {
		if text := q.Get(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return nil, badLog("%s: %.20q is no number", name, text)
			}
			numbers[name] = n
		}
	}
	all := []quietlog.Line{}
	for _, l := range s.recent.Lines() {
		var level slog.Level
		_ = level.UnmarshalText([]byte(l.Level)) // it is one
		if level >= least && l.N > numbers["after"] && (q.Get("part") == "" || l.Part == q.Get("part")) {
			all = append(all, l)
		}
	}
	if limit := numbers["limit"]; limit > 0 && uint64(len(all)) > limit {
		all = all[len(all)-int(limit):]
	}
	return all, nil
}

// names are what can have a level, in order: all, the parts, and the things that are no parts.
func (s *logService) names() []string {
	names := append([]string{quietlog.All, quietlog.Unnamed}, s.parts()...)
	for _, t := range s.things() {
		if !slices.Contains(names, t) {
			names = append(names, t)
		}
	}
	return names
}

// levels lists those of all parts, and of the things that have one of their own.
func (s *logService) levels() []LogLevel {
	s.mu.Lock()
	defer s.mu.Unlock()
	standard, all := s.standard(), []LogLevel{}
	if of := s.set[quietlog.All]; of != nil {
		standard = strings.ToLower(of.level.String())
	}
	for _, name := range s.names() {
		l := LogLevel{Part: name, Level: standard}
		if of := s.set[name]; of != nil {
			l.Level, l.Set, l.Until = strings.ToLower(of.level.String()), true, of.until
		}
		all = append(all, l)
	}
	return all
}

// change sets a level.
func (s *logService) change(in *SetLogLevel) ([]LogLevel, error) {
	if names := s.names(); !slices.Contains(names, in.Part) {
		return nil, badLog("there is no part %.40q: there are %s", in.Part, strings.Join(names, ", "))
	}
	span := in.For.Duration
	if span < 0 || span > maxLevelTime || span > 0 && span < time.Second {
		return nil, badLog("for: from 1s to %v", maxLevelTime)
	}
	var level slog.Level
	if in.Level != "" && level.UnmarshalText([]byte(in.Level)) != nil {
		return nil, badLog("level %.20q: say debug, info, warn or error", in.Level)
	}
	s.mu.Lock()
	s.unset(in.Part)
	if in.Level != "" {
		one := &partLevel{level: level}
		if span > 0 {
			one.until = time.Now().Add(span).UTC().Truncate(time.Second)
			one.timer = time.AfterFunc(span, func() { s.expire(in.Part, one) })
		}
		s.set[in.Part] = one
	}
	s.apply()
	s.mu.Unlock()
	s.log.Info("log level set", "of", in.Part, "least", cmp.Or(in.Level, s.standard()), "for", span)
	return s.levels(), nil
}

// expire ends a level whose time is over, unless it has been replaced.
func (s *logService) expire(name string, one *partLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set[name] == one {
		s.unset(name)
		s.apply()
	}
}

// unset forgets a level. The lock is held.
func (s *logService) unset(name string) {
	if one := s.set[name]; one != nil && one.timer != nil {
		one.timer.Stop()
	}
	delete(s.set, name)
}

// apply has the log keep to what is set. The lock is held.
func (s *logService) apply() {
	by := quietlog.Levels{}
	for name, one := range s.set {
		by[name] = one.level
	}
	quietlog.SetLevels(s.log, by)
}

// AskLog asks an agent for the last lines of its log.
func AskLog(ctx context.Context, c *control.Client, q url.Values) (all []quietlog.Line, err error) {
	err = c.Do(ctx, http.MethodGet, logPath+"?"+q.Encode(), nil, &all)
	return all, err
}

// AskLogLevels asks an agent for the levels of its parts, and to set one first unless set is nil.
func AskLogLevels(ctx context.Context, c *control.Client, set *SetLogLevel) (all []LogLevel, err error) {
	if set == nil {
		err = c.Do(ctx, http.MethodGet, logLevelsPath, nil, &all)
	} else {
		err = c.Do(ctx, http.MethodPost, logLevelsPath, set, &all)
	}
	return all, err
}
