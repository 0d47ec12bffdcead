package flowhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pithings/api"
	"pithings/flow"
	"pithings/flow/history"
	"pithings/spool/control"
	agentstate "pithings/spool/state"
)

// nameAnd is a request about one deployment.
type nameAnd struct {
	Name  string `json:"name"`
	Force bool   `json:"force,omitempty"`
}

// flowsPath is where the flows of an agent are.
const flowsPath = "/api/v1/flows"

// Routes let other processes use the flows that run; a reload of the configuration may
// replace them.
func Routes(current func() *Flows) []api.Route {
	route := func(method, path string, who api.Audience, doc string, takes, gives any, params []api.Param, do func(f *Flows, r *http.Request) (any, error)) api.Route {
		return api.Route{Method: method, Path: flowsPath + path, For: who, Doc: doc, Takes: takes, Gives: gives, Params: params, Handler: api.JSON(func(r *http.Request) (any, error) {
			f := current()
			if f == nil {
				return nil, fmt.Errorf("this agent runs no flows (%w)", api.Status(http.StatusNotFound))
			}
			return do(f, r)
		})}
	}
	return []api.Route{
		route(http.MethodGet, "", api.Look, "list the deployments", nil, []Deployed{}, nil, func(f *Flows, r *http.Request) (any, error) { return f.List(r.Context()) }),
		route(http.MethodGet, "/show", api.Group, "show a deployment", nil, Shown{}, []api.Param{{Name: "name", Doc: "of the deployment", Required: true}, {Name: "revision", Doc: "an earlier one; 0: that in force", Type: "integer"}}, func(f *Flows, r *http.Request) (any, error) {
			revision, err := number(r, "revision")
			if err != nil {
				return nil, err
			}
			return f.Show(r.Context(), r.FormValue("name"), revision)
		}),
		route(http.MethodGet, "/executions", api.Look, "list executions", nil, []flow.Execution{}, []api.Param{
			{Name: "deployment", Doc: "only of this one"}, {Name: "flow", Doc: "only of this one"}, {Name: "status", Doc: "only those with it"},
			{Name: "limit", Doc: "how many at most", Type: "integer"},
		}, func(f *Flows, r *http.Request) (any, error) {
			limit, err := number(r, "limit")
			if err != nil {
				return nil, err
			}
			return f.Executions(r.Context(), history.Filter{Deployment: r.FormValue("deployment"), Flow: r.FormValue("flow"), Status: flow.Status(r.FormValue("status")), Limit: limit})
		}),
		route(http.MethodGet, "/execution", api.Look, "show an execution and its events", nil, Story{}, []api.Param{{Name: "id", Doc: "of the execution", Required: true}}, func(f *Flows, r *http.Request) (any, error) {
			return f.Execution(r.Context(), r.FormValue("id"))
		}),
		route(http.MethodPost, "/start", api.Act, "start a flow", StartRequest{}, "", nil, func(f *Flows, r *http.Request) (any, error) { return answer(r, f.Start) }),
		route(http.MethodPost, "/deploy", api.Owner, "deploy flows", DeployRequest{}, []Deployed{}, nil, func(f *Flows, r *http.Request) (any, error) { return answer(r, f.Deploy) }),
		route(http.MethodGet, "/deployment", api.Look, "show a deployment and its graph", nil, PublicFlow{}, []api.Param{{Name: "name", Doc: "of the deployment", Required: true}, {Name: "revision", Doc: "an earlier one; 0: that in force", Type: "integer"}}, func(f *Flows, r *http.Request) (any, error) {
			revision, err := number(r, "revision")
			if err != nil {
				return nil, err
			}
			return Editor{f}.Public(r.Context(), r.FormValue("name"), revision)
		}),
		route(http.MethodPost, "/check", api.Act, "check a flow and change nothing", WriteRequest{}, Checked{}, nil, func(f *Flows, r *http.Request) (any, error) { return answerText(r, Editor{f}.Inspect) }),
		route(http.MethodPost, "/write", api.Act, "deploy a flow of the things that there are, or an earlier revision", WriteRequest{}, Deployed{}, nil, func(f *Flows, r *http.Request) (any, error) { return answerText(r, Editor{f}.Write) }),
		route(http.MethodPost, "/abort", api.Act, "end an execution that runs", execution{}, struct{}{}, nil, func(f *Flows, r *http.Request) (any, error) {
			return answer(r, func(ctx context.Context, in execution) (struct{}, error) {
				return struct{}{}, Editor{f}.Abort(ctx, in.ID)
			})
		}),
		route(http.MethodPost, "/undeploy", api.Act, "undeploy flows", nameAnd{}, Deployed{}, nil, func(f *Flows, r *http.Request) (any, error) {
			return answer(r, func(ctx context.Context, in nameAnd) (Deployed, error) { return f.Undeploy(ctx, in.Name) })
		}),
		route(http.MethodPost, "/delete", api.Act, "delete flows", nameAnd{}, Deployed{}, nil, func(f *Flows, r *http.Request) (any, error) {
			return answer(r, func(ctx context.Context, in nameAnd) (Deployed, error) { return f.Delete(ctx, in.Name, in.Force) })
		}),
	}
}

// execution names one.
type execution struct {
	ID string `json:"id"`
}

// maxText bounds the text of a flow that comes over the network.
const maxText = 64 << 10

// answerText decodes a request with the text of a flow for do.
func answerText[Out any](r *http.Request, do func(context.Context, WriteRequest) (Out, error)) (any, error) {
	return answer(r, func(ctx context.Context, in WriteRequest) (out Out, err error) {
		if len(in.Text) > maxText {
			return out, fmt.Errorf("the text is larger than %d KiB (%w)", maxText>>10, api.Status(http.StatusRequestEntityTooLarge))
		}
		return do(ctx, in)
	})
}

// answer decodes a request's body for do.
func answer[In, Out any](r *http.Request, do func(context.Context, In) (Out, error)) (any, error) {
	var in In
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	return do(r.Context(), in)
}

func number(r *http.Request, key string) (int, error) {
	text := r.FormValue(key)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %.80q is no number (%w)", key, text, api.Status(http.StatusBadRequest))
	}
	return n, nil
}

// client is the desk of the process that owns the state folder.
type client struct{ c *control.Client }

func (c client) Deploy(ctx context.Context, r DeployRequest) (out []Deployed, err error) {
	err = c.c.Do(ctx, http.MethodPost, flowsPath+"/deploy", r, &out)
	return out, err
}

func (c client) Undeploy(ctx context.Context, name string) (out Deployed, err error) {
	err = c.c.Do(ctx, http.MethodPost, flowsPath+"/undeploy", nameAnd{Name: name}, &out)
	return out, err
}

func (c client) Delete(ctx context.Context, name string, force bool) (out Deployed, err error) {
	err = c.c.Do(ctx, http.MethodPost, flowsPath+"/delete", nameAnd{name, force}, &out)
	return out, err
}

func (c client) Start(ctx context.Context, r StartRequest) (id string, err error) {
	err = c.c.Do(ctx, http.MethodPost, flowsPath+"/start", r, &id)
	return id, err
}

func (c client) List(ctx context.Context) (out []Deployed, err error) {
	err = c.get(ctx, flowsPath, nil, &out)
	return out, err
}

func (c client) Show(ctx context.Context, name string, revision int) (out Shown, err error) {
	err = c.get(ctx, flowsPath+"/show", url.Values{"name": {name}, "revision": {strconv.Itoa(revision)}}, &out)
	return out, err
}

func (c client) Executions(ctx context.Context, f history.Filter) (out []flow.Execution, err error) {
	err = c.get(ctx, flowsPath+"/executions", url.Values{"deployment": {f.Deployment}, "flow": {f.Flow}, "status": {string(f.Status)}, "limit": {strconv.Itoa(f.Limit)}}, &out)
	return out, err
}

func (c client) Execution(ctx context.Context, id string) (out Story, err error) {
	err = c.get(ctx, flowsPath+"/execution", url.Values{"id": {id}}, &out)
	return out, err
}

func (c client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.c.Do(ctx, http.MethodGet, path, nil, out)
}

// ConnectAgent returns the desk of the agent at a socket. done must follow.
func ConnectAgent(socket string) (d Desk, done func()) {
	c := control.NewClient(socket)
	return client{c}, c.Close
}

// startWait is how long Connect waits for an owner that does not answer: it may just
// be starting, or ending.
const startWait = 3 * time.Second

// Connect returns the desk of a state folder: that of the agent which owns it, or,
// with runs false, one that works on the folder while no other process does. done must follow.
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
			return nil, false, nil, folder.Explain(err)
		}
		if time.Since(began) > startWait {
			return nil, false, nil, fmt.Errorf("%w; the process that has it does not answer at %s", err, folder.Socket())
		}
		select {
		case <-time.After(50 * time.Millisecond): // neither lock nor socket reports when
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
