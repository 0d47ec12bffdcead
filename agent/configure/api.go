package configure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"

	"pithings/agent/config"
	"pithings/api"
	"pithings/conf"
	"pithings/spool/accepted"
)

// API is the configuration over HTTP. The agent fills it in.
type API struct {
	State   string // the state folder
	Current func() *config.Config
	// Load reads the configuration again, with settings from afar over it; nil: there is no file.
	Load func(config.Over) (*config.Config, []conf.Warning, error)
	// Turn calls do when nothing else changes the settings, and waits for its end.
	Turn func(ctx context.Context, do func() error) error
	// Keep checks a candidate and keeps it on trial, and Apply begins to apply it. Keep is for
	// within a Turn.
	Keep  func(*config.Candidate) (accepted.Revision, error)
	Apply func(accepted.Revision)
	// Fixed reports whether a key takes effect at the next start only.
	Fixed func(path string) bool
	// Clean removes the secrets of a configuration, and those of a candidate, from texts.
	Clean func(*config.Config, *config.Candidate) func(string) string
	Who   func(*http.Request) string // the client, for people
	Log   *slog.Logger
}

// Paths of the routes.
const (
	Path          = "/api/v1/config"
	RevisionsPath = Path + "/revisions"
	RevertPath    = Path + "/revert"
)

// Routes are those of the configuration.
func (x *API) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: Path, For: api.Look, Doc: "show the effective configuration, without its secrets", Gives: Configuration{},
			Handler: api.JSON(func(r *http.Request) (any, error) { return x.show(r.Context()) })},
		{Method: http.MethodGet, Path: Path + "/schema", For: api.Look, Doc: "show the JSON Schema of the configuration", Media: "application/schema+json", Handler: http.HandlerFunc(schema)},
		{Method: http.MethodPost, Path: Path + "/check", For: api.Act, Doc: "check a change of the configuration, and change nothing", Takes: Change{}, Gives: Check{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in Change
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				return x.check(r.Context(), x.Who(r), &in)
			})},
		{Method: http.MethodPost, Path: Path, For: api.Act, Doc: "change the configuration, on trial", Takes: Change{}, Gives: Kept{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in Change
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				return x.change(r.Context(), x.Who(r), &in)
			})},
		{Method: http.MethodGet, Path: RevisionsPath, For: api.Look, Doc: "list the last states of the settings from afar", Gives: []Revision{},
			Handler: api.JSON(func(*http.Request) (any, error) { return x.revisions() })},
		{Method: http.MethodPost, Path: RevertPath, For: api.Act, Doc: "return to an earlier state of the settings from afar, on trial", Takes: Revert{}, Gives: Kept{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in Revert
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				return x.revert(r.Context(), x.Who(r), &in)
			})},
	}
}

// Configuration is what GET /api/v1/config answers.
type Configuration struct {
	// Base names this state, for changes.
	Base string `json:"base,omitempty" jsonschema:"names this state, for changes; absent if there can be none"`
	Why  string `json:"why,omitempty" jsonschema:"why nothing can be changed here"`
	// Trial is the number of the revision that is on trial.
	Trial  int              `json:"trial,omitempty" jsonschema:"the number of the revision that is on trial"`
	Values []config.Setting `json:"values"`
}

func (x *API) show(ctx context.Context) (c Configuration, err error) {
	c.Values = x.Current().Settings()
	for i := range c.Values {
		c.Values[i].Value = masked(c.Values[i].Value)
	}
	if x.Load == nil {
		c.Why = errNoConfigFile.Error()
	} else {
		var newest *accepted.Revision
		err := x.Turn(ctx, func() (err error) {
			c.Base, newest, err = x.base()
			return err
		})
		if err != nil {
			c.Base, c.Why = "", err.Error()
		} else if newest != nil && newest.Trial {
			c.Trial = newest.Number
		}
	}
	if c.Why != "" {
		for i := range c.Values {
			c.Values[i].Change = conf.Local
		}
	}
	return c, ctx.Err()
}

// errNoConfigFile says that there is nothing over which settings could stand.
var errNoConfigFile = errors.New("this agent has no configuration file, over which changes could stand: write one (pithings config example), and start it with that: pithings run FILE")

// base names the state of the settings: the number of the newest revision, and the file under it.
// It is for within a Turn.
func (x *API) base() (base string, newest *accepted.Revision, err error) {
	if newest, err = accepted.Newest(x.State); err != nil {
		return "", nil, fmt.Errorf("%w; pithings config reset removes it", err)
	}
	sum := ""
	_, _, err = x.Load(func(_ *config.Config, file []byte) (*config.Layer, []conf.Warning) {
		sum = accepted.Sum(file)
		return nil, nil
	})
	if sum == "" {
		return "", nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	n := 0
	if newest != nil {
		n = newest.Number
	}
	return baseOf(n, sum), newest, nil
}

func baseOf(number int, sum string) string { return fmt.Sprintf("%d-%.16s", number, sum) }

// stands reports an error if the settings are not in the state that base names.
func (x *API) stands(base string) error {
	now, _, err := x.base()
	switch {
	case err != nil:
		return fmt.Errorf("%w (%w)", err, api.Status(http.StatusConflict))
	case base != now:
		return fmt.Errorf("the configuration has changed meanwhile, by another change or in its file: look at it again, and base the change on %s (%w)", now, api.Status(http.StatusConflict))
	}
	return nil
}

func schema(w http.ResponseWriter, _ *http.Request) {
	text, err := config.Schema()
	if err != nil {
		api.Fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	_, _ = w.Write(text) // the client has gone
}

// secretName is a name of which the value may be a secret, wherever it stands: in what messages have
// beside their own keys, in parameters of the gateway.
var secretName = regexp.MustCompile(`(?i)(passw|secret|token|credential|private_?key|api_?key)`)

// Logins and queries of URLs.
var (
	urlLogin = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s"']+@`)
	urlQuery = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'?]*\?)[^\s"']+`)
)

// inURL stands for what is removed from a URL.
const inURL = "[secret]"

// mask stands for such a value, as for a conf.Secret.
const mask = "[set]"

// masked is a value of the configuration without what may be a secret in it. A configuration has
// no secret but those of the type conf.Secret, which are masked already, and what people write where
// no secret belongs.
func masked(value json.RawMessage) json.RawMessage {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return value
	}
	text, err := json.Marshal(maskedIn(v))
	if err != nil {
		return json.RawMessage(`"?"`)
	}
	return text
}

func maskedIn(v any) any {
	switch v := v.(type) {
	case string:
		return urlQuery.ReplaceAllString(urlLogin.ReplaceAllString(v, "${1}"+inURL+"@"), "${1}"+inURL)
	case []any:
		for i := range v {
			v[i] = maskedIn(v[i])
		}
	case map[string]any:
		for key := range v {
			if text, ok := v[key].(string); ok && text != "" && secretName.MatchString(key) {
				v[key] = mask
			} else {
				v[key] = maskedIn(v[key])
			}
		}
	}
	return v
}
