package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pithings/awsiot/cloud/internal/jobs"
	"pithings/mqttlink"
)

// Job is what things are to do.
type Job struct {
	ID       string          // 1 to 64 characters of a-z, A-Z, 0-9, _ and -
	Document json.RawMessage // an object of at most 32 KB
	Things   []string        // 1 to 100
	// Timeout is how long it may be in progress on a thing, in whole minutes; 0 is for ever.
	Timeout time.Duration
}

// Execution is a job on a thing.
type Execution struct {
	Job     string            `json:"jobId"`
	Thing   string            `json:"thingName"`
	Status  string            `json:"status"`
	Details map[string]string `json:"statusDetails,omitempty"`
	Queued  time.Time         `json:"queuedAt"`
	Updated time.Time         `json:"lastUpdatedAt"`
	Version int64             `json:"versionNumber"`
}

// CreateJob queues a job on its things, and notifies them.
func (c *Cloud) CreateJob(ctx context.Context, job Job) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, now := c.jobs(), time.Now()
	j := &jobs.Job{ID: job.ID, Document: job.Document, Targets: job.Things, Minutes: int(job.Timeout / time.Minute), Created: now.Unix()}
	if job.Timeout%time.Minute != 0 {
		return fmt.Errorf("time-out %v: give whole minutes", job.Timeout)
	}
	if err := j.Check(); err != nil {
		return err
	}
	if s.job(j.ID) != nil {
		return fmt.Errorf("there is a job %s already: give another id", j.ID)
	}
	record, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := c.store.Put(jobKey+j.ID, record); err != nil {
		return err
	}
	err = s.each(ctx, j.Targets, func(q *jobs.Queue) ([]jobs.Response, error) { return q.Add(j, s.document, now) })
	if err == nil {
		c.log.Info("job created", "job", j.ID, "n", len(j.Targets))
	}
	return err
}

// CancelJob cancels a job on all its things: those that have not begun with it, with force
// also those that have. It returns on how many.
func (c *Cloud) CancelJob(ctx context.Context, id string, force bool) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, now := c.jobs(), time.Now()
	j := s.job(id)
	if j == nil {
		return 0, fmt.Errorf("there is no job %.80q", id)
	}
	err = s.each(ctx, j.Targets, func(q *jobs.Queue) ([]jobs.Response, error) {
		before := q.Status(id)
		responses := q.Cancel(id, force, s.document, now)
		if q.Status(id) != before {
			n++
		}
		return responses, nil
	})
	if err == nil {
		c.log.Info("job canceled", "job", id, "n", n)
	}
	return n, err
}

// Executions returns the job executions of a thing, or of all things with thing "", in the
// order of their things and of their queues. Those that ended long ago are not there.
func (c *Cloud) Executions(thing string) []Execution {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.jobs()
	var all []Execution
	for _, key := range c.store.Keys(queueKey) {
		q := s.queue(strings.TrimPrefix(key, queueKey))
		if thing != "" && q.Thing != thing {
			continue
		}
		for _, e := range q.Executions {
			all = append(all, Execution{e.JobID, q.Thing, string(e.Status), e.Details, time.Unix(e.Queued, 0), time.Unix(e.Updated, 0), e.Version})
		}
	}
	return all
}

func (c *Cloud) jobs() *jobService {
	i := slices.IndexFunc(c.services, func(s service) bool { _, ok := s.(*jobService); return ok })
	return c.services[i].(*jobService)
}

// each changes the queues of things, all or none of them.
func (s *jobService) each(ctx context.Context, things []string, change func(*jobs.Queue) ([]jobs.Response, error)) error {
	var messages []mqttlink.Message
	for _, thing := range things {
		q := s.queue(thing)
		responses, err := change(q)
		if err == nil {
			err = s.put(q)
		}
		if err != nil {
			s.c.store.Rollback()
			s.c.reset()
			return err
		}
		messages = append(messages, jobMessages(thing, responses)...)
	}
	return s.c.commit(ctx, messages)
}
