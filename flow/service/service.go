package service

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/flow"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/dial"
)

// Options bound what services may do. Zero values stand for the defaults.
type Options struct {
	// AllowHosts may be called besides the hosts that the services' URLs name, as
	// they are written in a URL, without port; ".example.com" are all below it.
	AllowHosts []string
	// AllowNets opens networks that are closed otherwise: 127.0.0.0/8, for a
	// service on the same machine.
	AllowNets []netip.Prefix
	// Secrets is the folder with the secrets that services may use; "": none.
	Secrets string
	// MaxBytes is the longest answer. Default: 1 MiB.
	MaxBytes int64
	// Timeout bounds a request, whatever the step's time-out. Default: 60 s.
	Timeout time.Duration
	// RootCAs are the certificate authorities for https. Default: the system's.
	RootCAs *x509.CertPool
	// Closed, if not nil, returns why no service may be called at this moment, or nil.
	Closed func() error
}

// ErrRefused: the rules forbid the request.
var ErrRefused = errors.New("request refused")

// Services are the web services that flows may use. It is an engine.Services.
type Services struct {
	o      Options
	models map[string]flow.ServiceModel
	hosts  map[string]bool // that the models name
	dialer *dial.Dialer
	client *http.Client
}

// New checks the services. Close should follow.
func New(models []flow.ServiceModel, o Options) (*Services, error) {
	o.MaxBytes = cmp.Or(max(o.MaxBytes, 0), 1<<20)
	o.Timeout = cmp.Or(max(o.Timeout, 0), time.Minute)
	s := &Services{o: o, models: map[string]flow.ServiceModel{}, hosts: map[string]bool{}}
	for _, m := range models {
		if err := m.Validate(); err != nil {
			return nil, err
		}
		if len(m.Secrets) > 0 && o.Secrets == "" {
			return nil, fmt.Errorf("service %s uses secrets, and there is no folder with any; name one: services.secrets in the configuration, --secrets of flow run", m.ID)
		}
		s.models[m.ID] = m
		for _, a := range m.Actions {
			if host := staticHost(a.URL); host != "" {
				s.hosts[host] = true
			}
		}
	}
	s.dialer = &dial.Dialer{Timeout: 10 * time.Second, Control: s.control}
	transport := &http.Transport{
		DialContext:            s.dialer.DialContext,
		DisableCompression:     true, // a second way to send a bomb
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           8,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
	}
	if o.RootCAs != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs}
	}
	s.client = &http.Client{Transport: transport, CheckRedirect: redirect}
	return s, nil
}

// Close closes idle connections.
func (s *Services) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Known reports whether a service has an action, for flow.Known.
func (s *Services) Known(service, action string) (hasAction, known bool) {
	m, known := s.model(service)
	_, hasAction = find(m.Actions, action)
	return hasAction, known
}

func (s *Services) model(name string) (flow.ServiceModel, bool) { return find(s.models, name) }

// find looks a name up without regard to case, as AWS did.
func find[T any](m map[string]T, name string) (v T, ok bool) {
	if v, ok = m[name]; ok {
		return v, true
	}
	for key, v := range m {
		if strings.EqualFold(key, name) {
			return v, true
		}
	}
	return v, false
}

// StatusError is an answer that is none of success.
type StatusError struct{ Status int }

func (e StatusError) Error() string {
	return fmt.Sprintf("the web service answers %d %s", e.Status, http.StatusText(e.Status))
}

// ErrorName is the name by which retries and catches know it: HTTP503.
func (e StatusError) ErrorName() string { return fmt.Sprintf("HTTP%d", e.Status) }

// Call implements engine.Services. The answer is the JSON value of the response,
// the text of one that is no JSON, or null if it has no body.
func (s *Services) Call(ctx context.Context, service, action string, input flow.Values) (any, error) {
	if s.o.Closed != nil {
		if err := s.o.Closed(); err != nil {
			return nil, err
		}
	}
	m, ok := s.model(service)
	if !ok {
		return nil, fmt.Errorf("there is no web service %q%s", service, suggest.From(service, slices.Sorted(maps.Keys(s.models))))
	}
	a, ok := find(m.Actions, action)
	if !ok {
		return nil, fmt.Errorf("the web service %s has no action %q%s", m.ID, action, suggest.From(action, slices.Sorted(maps.Keys(m.Actions))))
	}
	if a.Cloud != "" {
		return nil, fmt.Errorf("%s of the web service %s is %s, which runs at AWS only; give a URL of your own that takes the same request, with --service when it is deployed, or as url in its description", action, m.ID, a.Cloud)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, fmt.Errorf("it took longer than %v", s.o.Timeout))
	defer cancel()
	var req *http.Request
	if a, input, err := s.withSecrets(m, a, input); err != nil {
		return nil, fmt.Errorf("%s of the web service %s: %w", action, m.ID, err)
	} else if req, err = s.request(ctx, a, input); err != nil {
		return nil, fmt.Errorf("%s of the web service %s: %w", action, m.ID, err)
	}
	answer, err := s.do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s of the web service %s at %s: %w", action, m.ID, req.URL.Host, certs.Web(err, req.URL.Host))
	}
	return answer, nil
}

// request makes the request; all its parts are filled in from the arguments.
func (s *Services) request(ctx context.Context, a flow.ServiceAction, input flow.Values) (*http.Request, error) {
	u, err := address(a, input)
	if err != nil {
		return nil, err
	}
	if err := s.checkURL(u); err != nil {
		return nil, err
	}
	query, err := texts(a, a.Query, input)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	values := u.Query()
	for key, v := range query {
		values.Set(key, v)
	}
	if len(query) > 0 {
		u.RawQuery = values.Encode()
	}
	var body io.Reader
	kind := ""
	switch {
	case a.Text != "":
		t, err := texts(a, map[string]any{"text": a.Text}, input)
		if err != nil {
			return nil, err
		}
		body, kind = strings.NewReader(t["text"]), "text/plain; charset=utf-8"
		if json.Valid([]byte(t["text"])) {
			kind = "application/json"
		}
	case a.Body != nil:
		values, err := fill(a, a.Body, input)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		b, err := json.Marshal(values)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, a.Method, u.String(), body)
	if err != nil {
		return nil, plain(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("User-Agent", "pithings")
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	header, err := texts(a, a.Header, input)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for key, v := range header {
		if strings.EqualFold(key, "Host") {
			return nil, fmt.Errorf("%w: a header Host would choose another server", ErrRefused)
		}
		req.Header.Set(key, v)
	}
	return req, nil
}

// fill computes texts with ${…} from the arguments.
func fill(a flow.ServiceAction, request map[string]any, input flow.Values) (flow.Values, error) {
	if len(request) == 0 {
		return flow.Values{}, nil
	}
	return flow.RequestPayload(device.ActionModel{Params: a.Params, Request: request}, input)
}

// texts are filled in values as text. What is null is left out.
func texts(a flow.ServiceAction, request map[string]any, input flow.Values) (map[string]string, error) {
	values, err := fill(a, request, input)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for key, v := range values {
		switch v := v.(type) {
		case nil:
		case string:
			out[key] = v
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out[key] = string(b)
		}
	}
	return out, nil
}

// do sends the request and reads the answer.
func (s *Services) do(req *http.Request) (any, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, StatusError{resp.StatusCode}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, s.o.MaxBytes+1))
	switch {
	case err != nil:
		return nil, plain(err)
	case int64(len(data)) > s.o.MaxBytes:
		return nil, fmt.Errorf("the answer is longer than %d bytes", s.o.MaxBytes)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, nil
	}
	var v any
	if err := json.Unmarshal(data, &v); err == nil {
		return v, nil
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return nil, errors.New("the answer says that it is JSON, and is not")
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), nil
}

// plain strips url.Error, which repeats the address with its query.
func plain(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
