package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pithings/agent/control"
	agentstate "pithings/agent/state"
	"pithings/flow"
	"pithings/flow/history"
)

// nameAnd is a request about one deployment.
type nameAnd struct {
	Name  string `json:"name"`
	Force bool   `json:"force,omitempty"`
}

// Serve answers other processes on the control socket.
func (f *Flows) Serve(s *control.Server) {
	s.HandleJSON("POST /flows/deploy", answer(f.Deploy))
	s.HandleJSON("POST /flows/undeploy", answer(func(ctx context.Context, r nameAnd) (Deployed, error) { return f.Undeploy(ctx, r.Name) }))
	s.HandleJSON("POST /flows/delete", answer(func(ctx context.Context, r nameAnd) (Deployed, error) { return f.Delete(ctx, r.Name, r.Force) }))
	s.HandleJSON("POST /flows/start", answer(f.Start))
	s.HandleJSON("GET /flows", func(r *http.Request) (any, error) { return f.List(r.Context()) })
	s.HandleJSON("GET /flows/show", func(r *http.Request) (any, error) {
		revision, err := number(r, "revision")
		if err != nil {
			return nil, err
		}
		return f.Show(r.Context(), r.FormValue("name"), revision)
	})
	s.HandleJSON("GET /flows/executions", func(r *http.Request) (any, error) {
		limit, err := number(r, "limit")
		if err != nil {
			return nil, err
		}
		return f.Executions(r.Context(), history.Filter{Deployment: r.FormValue("deployment"), Flow: r.FormValue("flow"), Status: flow.Status(r.FormValue("status")), Limit: limit})
	})
	s.HandleJSON("GET /flows/execution", func(r *http.Request) (any, error) { return f.Execution(r.Context(), r.FormValue("id")) })
}

// answer decodes a request's body for do.
func answer[In, Out any](do func(context.Context, In) (Out, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in In
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, fmt.Errorf("the request: %w (%w)", err, control.Status(http.StatusBadRequest))
		}
		return do(r.Context(), in)
	}
}

func number(r *http.Request, key string) (int, error) {
	text := r.FormValue(key)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, refuse("%s: %q is no number", key, text)
	}
	return n, nil
}

// client is the desk of the process that owns the state folder.
type client struct{ c *control.Client }

func (c client) Deploy(ctx context.Context, r DeployRequest) (out []Deployed, err error) {
	err = c.c.Do(ctx, http.MethodPost, "/flows/deploy", r, &out)
	return out, err
}

func (c client) Undeploy(ctx context.Context, name string) (out Deployed, err error) {
	err = c.c.Do(ctx, http.MethodPost, "/flows/undeploy", nameAnd{Name: name}, &out)
	return out, err
}

func (c client) Delete(ctx context.Context, name string, force bool) (out Deployed, err error) {
	err = c.c.Do(ctx, http.MethodPost, "/flows/delete", nameAnd{name, force}, &out)
	return out, err
}

func (c client) Start(ctx context.Context, r StartRequest) (id string, err error) {
	err = c.c.Do(ctx, http.MethodPost, "/flows/start", r, &id)
	return id, err
}

func (c client) List(ctx context.Context) (out []Deployed, err error) {
	err = c.get(ctx, "/flows", nil, &out)
	return out, err
}

func (c client) Show(ctx context.Context, name string, revision int) (out Shown, err error) {
	err = c.get(ctx, "/flows/show", url.Values{"name": {name}, "revision": {strconv.Itoa(revision)}}, &out)
	return out, err
}

func (c client) Executions(ctx context.Context, f history.Filter) (out []flow.Execution, err error) {
	err = c.get(ctx, "/flows/executions", url.Values{"deployment": {f.Deployment}, "flow": {f.Flow}, "status": {string(f.Status)}, "limit": {strconv.Itoa(f.Limit)}}, &out)
	return out, err
}

func (c client) Execution(ctx context.Context, id string) (out Story, err error) {
	err = c.get(ctx, "/flows/execution", url.Values{"id": {id}}, &out)
	return out, err
}

func (c client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.c.Do(ctx, http.MethodGet, path, nil, out)
}

// startWait is how long Connect waits for an owner that does not answer: it may just
// be starting, or ending.
const startWait = 3 * time.Second

// Connect returns the desk of a state folder: that of the agent which owns it, or,
// with runs false, one that works on the folder while nobody does. done must follow.
func Connect(ctx context.Context, dir string, log *slog.Logger) (d Desk, runs bool, done func(), err error) {
	folder := agentstate.Folder{Dir: dir}
	for began := time.Now(); ; {
		c := control.NewClient(folder.Socket())
		_, err := client{c}.List(ctx)
		if err == nil {
			return client{c}, true, c.Close, nil
		}
		c.Close()
		if !errors.Is(err, control.ErrNoOwner) {
			return nil, false, nil, err
		}
		if err = folder.Own(); err == nil {
			break
		}
		if !errors.Is(err, agentstate.ErrInUse) {
			return nil, false, nil, err
		}
		if time.Since(began) > startWait {
			return nil, false, nil, fmt.Errorf("%w; the process that has it does not answer at %s", err, folder.Socket())
		}
		select {
		case <-time.After(50 * time.Millisecond): // neither lock nor socket tells when
		case <-ctx.Done():
			return nil, false, nil, ctx.Err()
		}
	}
	f, err := Open(Parts{State: dir, Log: log})
	if err != nil {
		folder.Close()
		return nil, false, nil, err
	}
	return f, false, folder.Close, nil
}
