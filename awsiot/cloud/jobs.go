package cloud

import (
	"encoding/json"
	"strings"
	"time"

	"pithings/awsiot/cloud/internal/jobs"
	"pithings/mqttlink"
)

// jobService serves AWS IoT Jobs. Its records are job/ID, and jobs/THING for a thing's queue
// of executions.
type jobService struct {
	c *Cloud
	// deadlines are when the first execution of a thing times out, in seconds since 1970.
	deadlines map[string]int64
}

const (
	jobKey   = "job/"
	queueKey = "jobs/"
)

func (s *jobService) reset() {
	s.deadlines = map[string]int64{}
	for _, key := range s.c.store.Keys(queueKey) {
		s.note(s.queue(strings.TrimPrefix(key, queueKey)))
	}
}

func (s *jobService) filters() []string {
	const prefix = "$aws/things/+/jobs/"
	return []string{prefix + jobs.Get, prefix + jobs.StartNext, prefix + "+/" + jobs.Describe, prefix + "+/" + jobs.Update}
}

// queue returns a thing's queue, which may be empty.
func (s *jobService) queue(thing string) *jobs.Queue {
	q := &jobs.Queue{Thing: thing}
	if record := s.c.store.Get(queueKey + thing); record != nil {
		if err := json.Unmarshal(record, q); err != nil {
			s.c.log.Error("jobs of a thing cannot be read", "thing", thing, "err", err)
			return &jobs.Queue{Thing: thing}
		}
	}
	return q
}

// put saves a queue, without the oldest executions that have ended, and without the jobs that
// no thing has any more.
func (s *jobService) put(q *jobs.Queue) error {
	gone := q.Trim()
	record, err := json.Marshal(q)
	if err == nil {
		err = s.c.store.Put(queueKey+q.Thing, record)
	}
	if err != nil {
		return err
	}
	s.note(q)
	for _, id := range gone {
		if j := s.job(id); j != nil && !s.any(j) {
			s.c.store.Delete(jobKey + id)
		}
	}
	return nil
}

// note notes when the queue times out.
func (s *jobService) note(q *jobs.Queue) {
	if at := q.Deadline(); at != 0 {
		s.deadlines[q.Thing] = at
	} else {
		delete(s.deadlines, q.Thing)
	}
}

// any reports whether a thing still has an execution of a job.
func (s *jobService) any(j *jobs.Job) bool {
	for _, thing := range j.Targets {
		if s.queue(thing).Status(j.ID) != "" {
			return true
		}
	}
	return false
}

func (s *jobService) job(id string) *jobs.Job {
	record := s.c.store.Get(jobKey + id)
	if record == nil {
		return nil
	}
	j := new(jobs.Job)
	if err := json.Unmarshal(record, j); err != nil {
		s.c.log.Error("job cannot be read", "job", id, "err", err)
		return nil
	}
	return j
}

// document implements jobs.Documents.
func (s *jobService) document(id string) json.RawMessage {
	if j := s.job(id); j != nil {
		return j.Document
	}
	return nil
}

func (s *jobService) answer(levels []string, payload []byte, now time.Time) (result, bool) {
	if len(levels) < 5 || len(levels) > 6 || levels[1] != "things" || levels[3] != "jobs" {
		return result{}, false
	}
	thing, id, request := levels[2], "", levels[4]
	topic := request
	if len(levels) == 6 {
		id, request = levels[4], levels[5]
		topic = id + "/" + request
	}
	prefix := "$aws/things/" + thing + "/jobs/"
	refuse := func(code, text string) []mqttlink.Message {
		r := jobs.Reject(topic, &jobs.Error{Code: code, Message: text}, jobs.Token(payload), now)
		return []mqttlink.Message{message(prefix+r.Topic, r.Payload)}
	}
	if !jobs.ValidThing(thing) || id != "" && id != jobs.Next && !jobs.ValidID(id) {
		return result{messages: refuse(jobs.InvalidTopic, "The topic has a thingName or a jobId that cannot be")}, true
	}
	q := s.queue(thing)
	responses := q.Handle(id, request, payload, s.document, now)
	r := result{failed: refuse(jobs.InternalError, "The request could not be saved"), messages: jobMessages(thing, responses)}
	if request != jobs.Get && len(responses) > 0 && strings.HasSuffix(responses[0].Topic, "/accepted") && len(q.Executions) > 0 {
		if err := s.put(q); err != nil {
			s.c.log.Error("job not saved, the request is refused", "thing", thing, "job", id, "err", err)
			return result{messages: r.failed}, true
		}
	}
	s.c.log.Info("job", "thing", thing, "job", id, "request", request, "answer", responses[0].Topic)
	return r, true
}

func jobMessages(thing string, responses []jobs.Response) []mqttlink.Message {
	var all []mqttlink.Message
	for _, r := range responses {
		all = append(all, message("$aws/things/"+thing+"/jobs/"+r.Topic, r.Payload))
	}
	return all
}

func (s *jobService) due() time.Time { return earliest(s.deadlines) }

// work ends the executions whose time is over.
func (s *jobService) work(now time.Time) []mqttlink.Message {
	var all []mqttlink.Message
	for thing, at := range s.deadlines {
		if at > now.Unix() {
			continue
		}
		q := s.queue(thing)
		responses := q.Expire(s.document, now)
		if err := s.put(q); err != nil {
			s.c.log.Error("time-out of a job not saved", "thing", thing, "err", err)
			continue
		}
		s.c.log.Info("job timed out", "thing", thing)
		all = append(all, jobMessages(thing, responses)...)
	}
	return all
}
