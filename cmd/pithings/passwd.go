package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/access"
	"pithings/spool/control"
	"pithings/spool/pub"
	"pithings/spool/state"
)

// accessWait is how long an agent may take to keep a password or a token.
const accessWait = 30 * time.Second

func newPasswd() *cobra.Command {
	var q queueOptions
	var stdin, generate, hash bool
	c := &cobra.Command{
		Use:        "passwd",
		SuggestFor: []string{"password", "set-password"},
		Short:      "Set the password of the web server",
		Long: `passwd sets the password with which people log in to the web server of an agent. Until
there is one, only programs on this machine are served there. It ends all sessions.

The password is asked for twice, and not shown. It has 8 to 256 bytes; only its hash
(argon2id) is kept, in the state folder. With --hash nothing is set: the hash is printed,
for http.password_hash in the configuration.`,
		Example: `  sudo pithings passwd
  sudo pithings passwd --generate
  pithings passwd --hash --stdin < password.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			password, err := newPassword(c, stdin, generate)
			if err != nil {
				return err
			}
			made, err := access.Hash(password)
			if err != nil {
				return err
			}
			if hash {
				_, err = fmt.Fprintln(c.OutOrStdout(), made)
				return err
			}
			fingerprint := "" // of the web server's certificate
			err = q.credentials(c,
				func(ctx context.Context, a *control.Client) error {
					err := agent.AskPassword(ctx, a, made)
					if h := new(health); err == nil && a.Do(ctx, http.MethodGet, healthPath, nil, h) == nil {
						fingerprint = h.web()
					}
					return err
				},
				func(d *access.Door) error { return d.SetPassword(made) })
			if err != nil {
				return err
			}
			fmt.Fprintln(c.ErrOrStderr(), "pithings: the password is set, and all sessions have ended")
			if fingerprint != "" {
				fmt.Fprint(c.ErrOrStderr(), fingerprint)
			}
			if generate {
				_, err = fmt.Fprintln(c.OutOrStdout(), password)
			}
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&stdin, "stdin", false, "read the password from the first line of the standard input")
	f.BoolVar(&generate, "generate", false, "make a password and print it")
	f.BoolVar(&hash, "hash", false, "print the hash and set nothing")
	q.agentFlags(f)
	c.MarkFlagsMutuallyExclusive("stdin", "generate")
	c.MarkFlagsMutuallyExclusive("hash", "generate")
	return c
}

// newPassword returns the password that is to be set.
func newPassword(c *cobra.Command, stdin, generate bool) (string, error) {
	switch {
	case generate:
		var b [15]byte // 120 bits, which no one guesses
		rand.Read(b[:])
		text := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
		return strings.Join([]string{text[:6], text[6:12], text[12:18], text[18:]}, "-"), nil
	case stdin:
		return readPasswordLine(c.InOrStdin())
	}
	return askPassword(c.InOrStdin(), c.ErrOrStderr())
}

// credentials asks the running agent that is meant, or changes its state folder while none runs.
func (q *queueOptions) credentials(c *cobra.Command, ask func(context.Context, *control.Client) error, change func(*access.Door) error) error {
	t, err := q.target(c)
	if err != nil {
		return err
	}
	dir, err := stateDir(t.dir)
	if err != nil {
		return err
	}
	socket := (&state.Folder{Dir: dir}).Socket() // of an agent whose folder is named
	if t.agent != nil {
		socket = t.agent.Socket
	}
	client := control.NewClient(socket)
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context(), accessWait)
	defer cancel()
	for began := time.Now(); ; {
		var answer *control.AnswerError // 404: a pub, which leaves the folder
		if err := ask(ctx, client); t.agent != nil || !errors.Is(err, control.ErrNoOwner) && !(errors.As(err, &answer) && answer.Status == http.StatusNotFound) {
			return err
		}
		if why := t.unreached(); why != "" && q.state == "" { // its password is meant, most likely
			return errors.New(why)
		}
		err := changeAlone(ctx, dir, change)
		if !errors.Is(err, state.ErrInUse) || time.Since(began) > startWait {
			return err
		}
		select { // an agent that starts has the folder before its socket; nothing reports when that is there
		case <-time.After(startPause):
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// startWait is how long an agent that has the state folder may take until it answers, and startPause
// the time between two attempts to ask it.
const (
	startWait  = 5 * time.Second
	startPause = 100 * time.Millisecond
)

// changeAlone changes the credentials in a state folder that no agent has.
func changeAlone(ctx context.Context, dir string, change func(*access.Door) error) error {
	of := state.Folder{Dir: dir}
	if err := pub.Take(ctx, &of, 0); err != nil {
		return err
	}
	defer of.Close()
	door, err := access.Open(dir)
	if err != nil {
		return err
	}
	return change(door)
}
