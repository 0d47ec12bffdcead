package cloud

import (
	"encoding/json"
	"net/http"
	"time"

	"pithings/api"
)

// JobsPath is where the routes of jobs are.
const JobsPath = "/api/v1/cloud/jobs"

// JobRequest asks for a job to be created.
type JobRequest struct {
	ID       string          `json:"jobId"`
	Document json.RawMessage `json:"document"`
	Things   []string        `json:"things"`
	Minutes  int             `json:"inProgressTimeoutInMinutes,omitempty"`
}

// CancelRequest asks for a job to be canceled.
type CancelRequest struct {
	Force bool `json:"force"`
}

// CancelResult is on how many things it was.
type CancelResult struct {
	Canceled int `json:"canceled"`
}

// Routes are how the owner of the state folder manages jobs.
func (c *Cloud) Routes() []api.Route {
	route := func(method, path, doc string, takes, gives any, handle func(*http.Request) (any, error)) api.Route {
		return api.Route{Method: method, Path: JobsPath + path, For: api.Owner, Doc: doc, Handler: api.JSON(handle), Takes: takes, Gives: gives}
	}
	return []api.Route{
		route(http.MethodPost, "", "create a job", JobRequest{}, JobRequest{}, func(r *http.Request) (any, error) {
			var job JobRequest
			if err := api.Decode(r, &job); err != nil {
				return nil, err
			}
			err := c.CreateJob(r.Context(), Job{ID: job.ID, Document: job.Document, Things: job.Things, Timeout: time.Duration(job.Minutes) * time.Minute})
			return job, badRequest(err)
		}),
		route(http.MethodGet, "", "list the executions of jobs", nil, []Execution{}, func(r *http.Request) (any, error) {
			return c.Executions(r.URL.Query().Get("thing")), nil
		}),
		route(http.MethodPost, "/{job}/cancel", "cancel a job", CancelRequest{}, CancelResult{}, func(r *http.Request) (any, error) {
			var how CancelRequest
			if err := api.Decode(r, &how); err != nil {
				return nil, err
			}
			n, err := c.CancelJob(r.Context(), r.PathValue("job"), how.Force)
			return CancelResult{n}, badRequest(err)
		}),
	}
}

// badRequest makes err the answer to a request that cannot be.
func badRequest(err error) error {
	if err == nil {
		return nil
	}
	return refusal{err}
}

// refusal is an error whose words need no status beside them.
type refusal struct{ error }

// Unwrap makes it the status of the answer.
func (r refusal) Unwrap() []error { return []error{r.error, api.Status(http.StatusBadRequest)} }
