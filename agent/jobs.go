package agent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"

	"pithings/agent/config"
	"pithings/awsiot/command"
	"pithings/awsiot/jobs"
	"pithings/conf"
	"pithings/mqttlink"
	"pithings/spool/accepted"
)

// jobService is what does the jobs that a cloud queues.
type jobService struct {
	links    *links
	flows    *flowService
	doctor   *diagnosis
	current  func() *config.Config
	accept   func(ctx context.Context, from string, changes map[string]any) (number int, apply func(), err error)
	outcome  func(ctx context.Context, number int) error // of the trial of settings
	restart  func()                                      // begins the end of the agent
	rebooter string                                      // socket that boots the machine anew
	run      func() jobs.Mark                            // this one
}

// settings are those of optional.
func (*jobService) settings(c *config.Config) (any, bool) {
	return c.AWSIoT.Jobs, c.AWSIoT.Jobs.Enabled
}

// selective: its handlers look for things and flows when they need them.
func (*jobService) selective() {}

func (s *jobService) open(c *config.Config, log *slog.Logger) (opened, error) {
	link, id := s.links.managing()
	return jobs.New(jobs.Options{Link: link, Thing: id, Now: s.run(), Log: log,
		Store: jobs.File(filepath.Join(s.links.folder.Dir, "jobs", "job")),
		Handlers: jobs.Allowed(map[string]jobs.Handler{
			jobs.UpdateConfig: s.updateConfig,
			jobs.Restart: jobs.AcrossRuns(func(context.Context, *jobs.Job) error {
				s.restart()
				return nil
			}),
			jobs.Diagnose: s.diagnose,
			jobs.RunFlow:  s.runFlow,
			jobs.Reboot:   s.reboot(),
		}, c.AWSIoT.Jobs.Allow)})
}

// kept is what an update-config saves: under which number its settings are kept.
type kept struct {
	Revision int `json:"revision"`
}

// updateConfig changes the settings, and has succeeded when their trial has. Applying them may
// end the connection and this service: the next one takes the job up again, as does the next
// process. Settings that were accepted and not noted are accepted once more, which makes the
// same of them.
func (s *jobService) updateConfig(ctx context.Context, j *jobs.Job) jobs.Result {
	var of kept
	if j.Data == nil {
		var document struct {
			Config map[string]any `json:"config"`
		}
		if err := j.Decode(&document); err != nil {
			return jobs.Reject(err.Error())
		}
		if len(document.Config) == 0 {
			return jobs.Reject(`the document has no config, an object with the keys to change: {"action": "update-config", "config": {"log": {"level": "debug"}}}`)
		}
		number, apply, err := s.accept(ctx, "job "+j.ID, document.Config)
		switch {
		case err != nil && ctx.Err() != nil:
			return jobs.Result{} // nothing was kept, and it is taken up again
		case err != nil:
			return jobs.Reject(reason(err))
		}
		of.Revision = number
		_ = j.Save(of) // it has been logged; see above
		apply()
	} else if err := json.Unmarshal(j.Data, &of); err != nil {
		return jobs.Fail(err.Error())
	}
	err := s.outcome(ctx, of.Revision)
	switch {
	case errors.Is(err, accepted.ErrTakenBack):
		return jobs.Fail(err.Error())
	case err != nil:
		return jobs.Result{} // taken up again
	}
	return jobs.Done(map[string]string{"revision": strconv.Itoa(of.Revision)})
}

// diagnose reports what is wrong: a summary as details, and if the document names a topic, all
// of it in a message there.
func (s *jobService) diagnose(ctx context.Context, j *jobs.Job) jobs.Result {
	var document struct {
		ResponseTopic string `json:"response-topic"`
	}
	if err := j.Decode(&document); err != nil {
		return jobs.Reject(err.Error())
	}
	to := document.ResponseTopic
	if to != "" {
		if err := mayAnswer(to, s.current()); err != nil {
			return jobs.Reject(err.Error())
		}
	}
	found, err := s.doctor.take(ctx)
	switch {
	case ctx.Err() != nil:
		return jobs.Result{} // begun again
	case err != nil:
		return jobs.Fail(err.Error())
	}
	details := found.summary()
	if to != "" {
		payload, err := json.Marshal(struct {
			Job    string    `json:"job"`
			Result *Findings `json:"result"`
		}{j.ID, found})
		if err == nil {
			err = mayAnswer(to, s.current()) // a reload may have made a thing that listens there
		}
		if err == nil {
			link, _ := s.links.managing()
			err = link.Publish(ctx, mqttlink.Message{Topic: to, Payload: payload, QoS: 1})
		}
		if err != nil {
			return jobs.Fail("the diagnosis could not be published: " + err.Error())
		}
		details["published"] = to
	}
	return jobs.Done(details)
}

// mayAnswer says why nothing may be published to a topic that was asked for from afar, or returns
// nil. It looks at the configuration and not at the things: through a reload, none listens that
// the one has not which is current.
func mayAnswer(to string, c *config.Config) error {
	var all []command.Thing
	for i := range c.Things {
		t := &c.Things[i]
		all = append(all, command.Thing{Name: t.Name, Model: modelOf(t)})
	}
	return command.CheckResponse(to, c.AWSIoT.Command.ReplyPrefixes, all)
}

// reason is why settings are refused, without their places in a file that the sender does not
// have.
func reason(err error) string {
	var problems *conf.Error
	if !errors.As(err, &problems) {
		return err.Error()
	}
	var all []string
	for _, p := range problems.Problems {
		all = append(all, p.Message)
	}
	return strings.Join(all, "; ")
}
