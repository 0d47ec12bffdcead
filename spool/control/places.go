package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
	"unicode"

	"pithings/api"
)

// Places are the folders in which running agents are found, whatever their state folders
// are: one for the service, one for the agents of a user.
type Places struct {
	// Service is systemd's RuntimeDirectory of the unit: of the service's user and the
	// group pithings, 0750.
	Service string
	// User is the folder of this user, 0700; "" if there is none.
	User string
	// Others are those of other users, which root can look into.
	Others []string
}

// Group is the group whose members may talk with the service.
const Group = "pithings"

// serviceSocket is the socket of the service in its folder.
const serviceSocket = "socket"

// Agent is a running agent as it describes itself.
type Agent struct {
	PID       int    `json:"pid"`
	UID       int    `json:"uid"`
	Version   string `json:"version"`
	State     string `json:"state"`               // its state folder
	Config    string `json:"config,omitempty"`    // its configuration
	Simulated bool   `json:"simulated,omitempty"` // all its parts are
	Service   bool   `json:"service,omitempty"`   // it runs under systemd
	Web       string `json:"web,omitempty"`       // address of its web server
	HTTPS     bool   `json:"https,omitempty"`     // which encrypts

	// Socket is where it was found.
	Socket string `json:"-"`
	// Other says that it was found in the folder of another user, who may have put
	// anything there.
	Other bool `json:"-"`
}

// String names an agent for people.
func (a *Agent) String() string {
	what := "the agent"
	switch {
	case a.Service:
		what = "the service"
	case a.Simulated:
		what = "the simulation"
	}
	return fmt.Sprintf("%s (process %d, state folder %s)", what, a.PID, a.State)
}

// ErrDenied says that a service runs, and that this user may not talk with it.
var ErrDenied = errors.New("a service runs here, but only root and the members of the group " + Group + " may talk with it: sudo usermod -aG " + Group + " $USER, and log in again")

const agentPath = "/api/v1/agent"

// Routes let other processes ask which agent this is.
func (a Agent) Routes() []api.Route {
	a.PID, a.UID = os.Getpid(), os.Geteuid()
	return []api.Route{{Method: http.MethodGet, Path: agentPath, For: api.Look, Doc: "describe the agent: process, state folder, version", Gives: Agent{},
		Handler: api.JSON(func(*http.Request) (any, error) { return a, nil })}}
}

// describeMost bounds a description, in bytes.
const describeMost = 64 << 10

// Describe asks the owner of a socket which agent it is. Root asks those of other users,
// too, who may answer anything.
func (c *Client) Describe(ctx context.Context) (a Agent, err error) {
	answer, err := c.Get(ctx, agentPath)
	if err != nil {
		return a, err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, describeMost))
	if err != nil {
		return a, err
	}
	a, err = parseAgent(text)
	a.Socket = c.path
	return a, err
}

// parseAgent reads a description. Its texts are printed on terminals.
func parseAgent(text []byte) (a Agent, err error) {
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("an agent describes itself in a way that is not understood: %w", err)
	}
	for _, s := range []*string{&a.Version, &a.State, &a.Config, &a.Web} {
		*s = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return '?'
			}
			return r
		}, *s)
	}
	return a, nil
}

// Find returns the agents that run here: the service first, then those of the users, by
// state folder. denied says that there is a service which this user may not talk with.
// What does not answer is no agent.
func (p Places) Find(ctx context.Context) (agents []Agent, denied bool) {
	if p.Service != "" {
		a, err := ask(ctx, filepath.Join(p.Service, serviceSocket))
		if err == nil {
			a.Service = true
			agents = append(agents, a)
		}
		denied = errors.Is(err, fs.ErrPermission)
	}
	first := len(agents)
	for i, dir := range append([]string{p.User}, p.Others...) {
		sockets, _ := filepath.Glob(filepath.Join(dir, "*.socket")) // the pattern is right
		for _, path := range sockets[:min(len(sockets), findMost)] {
			if a, err := ask(ctx, path); err == nil {
				a.Other = i > 0
				agents = append(agents, a)
			}
		}
	}
	added := agents[first:]
	sort.Slice(added, func(i, j int) bool { return added[i].State < added[j].State })
	return agents, denied
}

// An agent may take findPatience to describe itself, and of one user not more than
// findMost are asked.
const (
	findPatience = 2 * time.Second
	findMost     = 64
)

func ask(ctx context.Context, path string) (Agent, error) {
	ctx, cancel := context.WithTimeout(ctx, findPatience)
	defer cancel()
	c := NewClient(path)
	defer c.Close()
	return c.Describe(ctx)
}
