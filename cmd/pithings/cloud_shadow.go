package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
)

// shadowWait is how long an answer may take, the connection included.
const shadowWait = 20 * time.Second

func newCloudShadow() *cobra.Command {
	c := &cobra.Command{
		Use:   "shadow",
		Short: "Show and change device shadows, at your own broker or at AWS IoT Core",
		Long: `shadow sends one request for a device shadow by MQTT and prints the answer. It works
with pithings cloud and with AWS IoT Core, as far as the broker's access list or policy
allows it.`,
		Example: "  pithings cloud shadow get pi1 -e mqtt://127.0.0.1\n  pithings cloud shadow set pi1 '{\"quarantine\": true}' -e mqtt://127.0.0.1",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return usagef("say get or set") },
	}
	c.AddCommand(newShadowGet(), newShadowSet())
	return c
}

func newShadowGet() *cobra.Command {
	var conn connection
	c := &cobra.Command{
		Use:   "get THING [NAME]",
		Short: "Print the shadow of a thing, or the one of that name",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return askShadow(c, &conn, args, "get", map[string]any{})
		},
	}
	conn.add(c.Flags(), seedLetters.with("client-id", "i"))
	return c
}

func newShadowSet() *cobra.Command {
	var conn connection
	c := &cobra.Command{
		Use:   "set THING [NAME] STATE",
		Short: "Change the desired state of a thing's shadow, or of the one of that name",
		Long: `set merges a state into the desired one, and prints what was changed; null removes a
key. The state is a file with an object of JSON, - for standard input, or the object
itself.`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(c *cobra.Command, args []string) error {
			last := len(args) - 1
			text, err := readDocument(c, args[last])
			if err != nil {
				return err
			}
			var desired map[string]json.RawMessage
			if err := json.Unmarshal(text, &desired); err != nil {
				return fmt.Errorf("the state is not an object of JSON: %w", err)
			}
			return askShadow(c, &conn, args[:last], "update", map[string]any{"state": map[string]any{"desired": desired}})
		},
	}
	conn.add(c.Flags(), seedLetters.with("client-id", "i"))
	return c
}

// askShadow sends a request for the shadow that args name, and prints the answer.
func askShadow(c *cobra.Command, conn *connection, args []string, request string, content map[string]any) error {
	prefix := "$aws/things/" + args[0] + "/shadow/"
	if len(args) == 2 {
		prefix += "name/" + args[1] + "/"
	}
	if err := topic.Check(prefix + request); err != nil {
		return usageError{err}
	}
	options, err := conn.options(c)
	if err != nil {
		return err
	}
	options.Log, options.CleanSession, options.Will = slog.New(slog.DiscardHandler), true, nil
	token := rand.Text()
	content["clientToken"] = token
	payload, err := json.Marshal(content)
	if err != nil {
		return err
	}
	answer, err := requestReply(c.Context(), options, mqttlink.Message{Topic: prefix + request, Payload: payload, QoS: 1}, token)
	if err != nil {
		return err
	}
	if bytes.HasPrefix([]byte(answer.Topic), []byte(prefix+request+"/rejected")) {
		var why struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(answer.Payload, &why); err != nil {
			return fmt.Errorf("the request was refused: %.200q", answer.Payload)
		}
		return fmt.Errorf("the request was refused: %d, %.500s", why.Code, why.Message)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, answer.Payload, "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	pretty.WriteByte('\n')
	_, err = c.OutOrStdout().Write(pretty.Bytes())
	return err
}

// errAnswered ends the connection when the answer is there.
var errAnswered = errors.New("answered")

// requestReply publishes a request when the broker has taken the subscription to the answers
// on TOPIC/accepted and TOPIC/rejected, and returns the one with the token.
func requestReply(ctx context.Context, o mqttlink.Options, m mqttlink.Message, token string) (answer mqttlink.Message, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, shadowWait, fmt.Errorf("no answer within %v: does pithings cloud serve this broker, and may this client use %s?", shadowWait, m.Topic))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	subscribed := make(chan struct{})
	once := sync.OnceFunc(func() { close(subscribed) })
	o.OnSuback = func(_, refused []string) {
		if len(refused) > 0 {
			end(fmt.Errorf("the broker refuses the subscription to %s: check its access list or policy", refused[0]))
			return
		}
		once()
	}
	l, err := mqttlink.New(o)
	if err != nil {
		return answer, err
	}
	if _, err := l.SubscribeAll([]string{m.Topic + "/accepted", m.Topic + "/rejected"}, 1, func(_ context.Context, got mqttlink.Message) {
		var is struct {
			Token string `json:"clientToken"`
		}
		if json.Unmarshal(got.Payload, &is) == nil && is.Token == token && ctx.Err() == nil {
			answer = got
			end(errAnswered)
		}
	}); err != nil {
		return answer, err
	}
	var publishing sync.WaitGroup
	publishing.Go(func() {
		select {
		case <-subscribed:
			if err := l.Publish(ctx, m); err != nil {
				end(err)
			}
		case <-ctx.Done():
		}
	})
	runErr := l.Run(ctx)
	publishing.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, errAnswered) {
		if s := l.Stats(); s.Connects == 0 && s.LastError != "" {
			cause = errors.New(s.LastError)
		}
		return answer, errors.Join(cause, runErr)
	}
	return answer, nil
}
