package rule

import (
	"context"
	"time"

	"pithings/gateway/script"
)

// modules are those of the host for a script.
func (p *program) modules() map[string]script.Module {
	all := map[string]script.Module{}
	for name, functions := range quickfaas {
		all[name] = p.functions(functions)
	}
	return all
}

// httpTime is how long a request of a script is waited for, in seconds, unless it says it.
const httpTime = 10

// http are the functions by which a script makes requests.
func (p *program) http() map[string]script.Value {
	if p.env.HTTP == nil {
		return nil
	}
	return p.functions(map[string]hostFunc{
		"http_get": {[]string{"url", "timeout="}, func(p *program, ctx context.Context, a []script.Value) (any, error) {
			return p.request(ctx, "GET", a[0], nil, a[1])
		}},
		"http_post": {[]string{"url", "data=", "timeout="}, func(p *program, ctx context.Context, a []script.Value) (any, error) {
			return p.request(ctx, "POST", a[0], a[1], a[2])
		}},
	})
}

func (p *program) request(ctx context.Context, method string, url, body, wait script.Value) (any, error) {
	address, err := text(url, "url")
	if err != nil {
		return nil, err
	}
	t, err := timeout(wait, httpTime)
	if err != nil {
		return nil, err
	}
	payload := []byte(nil)
	if body != nil {
		if payload, err = encoded(ctx, body); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, min(t, time.Duration(maxCallbackTime)*time.Second))
	defer cancel()
	return p.env.HTTP(ctx, method, address, string(payload))
}
