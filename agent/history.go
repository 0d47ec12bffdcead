package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/api"
	"pithings/device"
	"pithings/history"
	"pithings/mqttlink/clock"
	"pithings/spool/control"
)

const historyName = "history"

// historyService keeps what the things measure for charts, if the configuration says so. A
// reload makes it anew if its settings have changed. One that is off is nothing but this struct.
type historyService struct {
	folder  *folder
	things  *thingService
	clock   *clock.Clock
	current func() *config.Config
	log     *slog.Logger

	running context.Context // from Start on
	run     *unit

	mu    sync.RWMutex
	store *history.Store // nil: it is off
	held  *held          // states of the store's
}

// Name implements Service.
func (s *historyService) Name() string { return historyName }

// Start implements Starter.
func (s *historyService) Start(ctx context.Context) error {
	s.running = ctx
	return s.begin(s.current())
}

// Run waits until ctx is done, and then writes what is left. Things end before.
func (s *historyService) Run(ctx context.Context) error {
	<-ctx.Done()
	s.end()
	return nil
}

func (s *historyService) begin(c *config.Config) error {
	if !c.History.Enabled {
		return nil
	}
	if err := s.folder.own(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	log := s.log.With("service", historyName)
	store := history.New(history.Options{Dir: filepath.Join(s.folder.Dir, "history"), Max: int64(c.History.Max), Clock: s.clock, Log: log})
	states := &held{store: store}
	s.set(store, states)
	s.run = begin(s.running, func(ctx context.Context) {
		writing, stop := context.WithCancel(context.WithoutCancel(ctx))
		var written sync.WaitGroup
		written.Go(func() { again(writing, log, historyName, store.Run) })
		defer written.Wait()
		defer stop()
		defer s.things.events.Subscribe("", "", func(e device.Event) { s.put(store, states, e) })()
		s.follow(ctx, states)
	})
	return nil
}

func (s *historyService) end() {
	s.run.end()
	s.run = nil
	s.set(nil, nil)
}

func (s *historyService) set(store *history.Store, states *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store, s.held = store, states
}

// put notes the quantities of an event. What could not be measured, or cannot be, is a gap.
func (s *historyService) put(store *history.Store, states *held, e device.Event) {
	for _, q := range s.things.quantities(e.Thing) {
		if q.Event != e.Name {
			continue
		}
		k := history.Key{Thing: e.Thing, Quantity: q.Name, Unit: q.Unit}
		if v, ok := number(e.Values[q.Key]); ok {
			if q.Plausible(v) {
				store.Put(k, q.Precision, e.At, v)
			}
		} else if on, ok := switchedOn(e.Values[q.Key], func() []string { return s.things.texts(e.Thing, &q) }); ok {
			states.happened(k, e.At, on, q.Momentary)
		}
	}
}

// follow notes which states are held, until ctx is done: a state that does not change has no event.
func (s *historyService) follow(ctx context.Context, states *held) {
	minutes := time.NewTicker(holdEvery)
	defer minutes.Stop()
	for {
		changed := s.things.health.changed.wait()
		works := s.things.health.Things()
		for _, thing := range s.things.names() {
			up := works[thing].State == "up"
			var resting []history.Key
			for _, q := range s.things.quantities(thing) {
				if up && q.Rests {
					resting = append(resting, history.Key{Thing: thing, Quantity: q.Name, Unit: q.Unit})
				}
			}
			states.works(thing, up, resting, time.Now())
		}
		states.only(func(thing string) bool { _, ok := works[thing]; return ok })
		select {
		case <-changed:
		case <-minutes.C:
			states.fill(time.Now())
		case <-ctx.Done():
			states.fill(time.Now())
			return
		}
	}
}

// plan compares the settings with those of another configuration.
func (s *historyService) plan(*change) error { return nil }

func (s *historyService) leave(ch *change) {
	if ch.before.History != ch.next.History {
		s.end()
	}
}

func (s *historyService) take(ch *change) error {
	if ch.before.History != ch.next.History {
		return s.begin(ch.next)
	}
	return nil
}

// errNoHistory is answered while it is off.
var errNoHistory = fmt.Errorf("this agent keeps no history: its configuration has no history: {enabled: true} (%w)", api.Status(http.StatusNotFound))

// stored is the store, if there is one.
func (s *historyService) stored() (*history.Store, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.store == nil {
		return nil, errNoHistory
	}
	s.held.fill(time.Now())
	return s.store, nil
}

// Health implements HealthReporter.
func (s *historyService) Health(add func(key string, value any)) {
	if store, err := s.stored(); err == nil {
		add(historyName, store.State())
	}
}

// Collect implements Collector.
func (s *historyService) Collect(m *api.Metrics) {
	store, err := s.stored()
	if err != nil {
		return
	}
	state := store.State()
	m.Family("pithings_history_quantities", "gauge", "Quantities whose history is being written.")
	m.Sample(float64(state.Quantities))
	m.Family("pithings_history_failing", "gauge", "Quantities whose history cannot be written at the moment.")
	m.Sample(float64(state.Failing))
	m.Family("pithings_history_waiting", "gauge", "Readings that wait in memory for the time, or for their file.")
	m.Sample(float64(state.Waiting))
	m.Family("pithings_history_dropped_total", "counter", "Readings that are not in the history: older than those before, of no room, or faster than the disk.")
	m.Sample(float64(state.Dropped))
}

// historyPath is where other processes ask for histories.
const historyPath = "/api/v1/history"

// Routes implements Router.
func (s *historyService) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: historyPath, For: api.Look, Doc: "list the histories of quantities", Gives: []history.Listed{},
			Handler: api.JSON(func(*http.Request) (any, error) {
				store, err := s.stored()
				if err != nil {
					return nil, err
				}
				return store.List()
			})},
		{Method: http.MethodGet, Path: historyPath + "/{thing}/{quantity}", For: api.Look, Doc: "show what a quantity was, for charts", Params: historyParams, Gives: history.Answer{},
			Handler: s.answer("application/json", history.DefaultPoints, (*history.File).WriteJSON)},
		{Method: http.MethodGet, Path: historyPath + "/{thing}/{quantity}/history.csv", For: api.Look, Doc: "export what a quantity was as CSV", Params: historyParams, Media: "text/csv",
			Handler: s.answer("text/csv; charset=utf-8", 0, (*history.File).WriteCSV)},
	}
}

// historyParams are those of a query of a history.
var historyParams = []api.Param{
	{Name: "from", Doc: "where it begins: a time, a day, seconds since 1970, or how long ago (36h); empty: a day ago"},
	{Name: "to", Doc: "where it ends, likewise; empty: now"},
	{Name: "points", Doc: "in how many parts it is divided, 3000 at most", Type: "integer"},
}

// answer writes a history. points are those of a request that names none.
func (s *historyService) answer(kind string, points int, write func(*history.File, io.Writer, history.Query) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, q, err := s.find(r, points)
		if err != nil {
			api.Fail(w, err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", kind)
		out := &begun{Writer: w}
		switch err := write(f, out, q); {
		case err == nil:
		case !out.wrote:
			api.Fail(w, err)
		default:
			panic(http.ErrAbortHandler) // the client sees that it is not whole, unless it has gone
		}
	})
}

// find opens what a request asks for.
func (s *historyService) find(r *http.Request, points int) (*history.File, history.Query, error) {
	q, err := historyQuery(r.URL.Query(), time.Now(), points)
	if err != nil {
		return nil, q, fmt.Errorf("%w (%w)", err, api.Status(http.StatusBadRequest))
	}
	store, err := s.stored()
	if err != nil {
		return nil, q, err
	}
	f, err := store.Open(r.PathValue("thing"), r.PathValue("quantity"))
	if errors.Is(err, history.ErrNone) {
		err = fmt.Errorf("%w (%w)", err, api.Status(http.StatusNotFound))
	}
	return f, q, err
}

// begun knows whether something was written.
type begun struct {
	io.Writer
	wrote bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.wrote = true
	return b.Writer.Write(p)
}

// historyQuery reads from, to and points: the last day by default.
func historyQuery(v url.Values, now time.Time, points int) (q history.Query, err error) {
	q = history.Query{Now: now, Points: points}
	if text := v.Get("points"); text != "" {
		if q.Points, err = strconv.Atoi(text); err != nil {
			return q, fmt.Errorf("points: %.40q is no number", text)
		}
	}
	if q.To, err = history.ParseTime(v.Get("to"), now, now); err != nil {
		return q, fmt.Errorf("to: %w", err)
	}
	if q.From, err = history.ParseTime(v.Get("from"), now, q.To.Add(-24*time.Hour)); err != nil {
		return q, fmt.Errorf("from: %w", err)
	}
	return q, q.Check()
}

// AskHistories asks an agent for the list of its histories.
func AskHistories(ctx context.Context, c *control.Client) (all []history.Listed, err error) {
	err = c.Do(ctx, http.MethodGet, historyPath, nil, &all)
	return all, err
}

// AskHistory asks an agent for the history of a quantity, as JSON or CSV.
func AskHistory(ctx context.Context, c *control.Client, thing, quantity string, q history.Query, csv bool) (io.ReadCloser, error) {
	path := historyPath + "/" + url.PathEscape(thing) + "/" + url.PathEscape(quantity)
	if csv {
		path += "/history.csv"
	}
	v := url.Values{"from": {strconv.FormatInt(q.From.Unix(), 10)}, "to": {strconv.FormatInt(q.To.Unix(), 10)}, "points": {strconv.Itoa(q.Points)}}
	return c.Get(ctx, path+"?"+v.Encode())
}
