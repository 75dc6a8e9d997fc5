package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// plain is the service outside Lambda. It stands in for the edge: what belongs
// to the drops service is passed on to it, so that one address does everything.
func plain(sample bool, env func(string) string, log *slog.Logger) (http.Handler, error) {
	static, err := loadAssets()
	if err != nil {
		return nil, err
	}
	p := &pages{Assets: static, Log: log, ContentOrigin: env("CONTENT_ORIGIN")}
	if sample {
		shop := newSample()
		p.Drops = shop
		return front(static, p.handler(), shop), nil
	}
	address := strings.TrimRight(env("DROPS_URL"), "/")
	if address == "" {
		return nil, errors.New("set DROPS_URL to the address of a drops server, such as http://127.0.0.1:8081, or pass --sample")
	}
	target, err := url.Parse(address)
	if err != nil || target.Host == "" {
		return nil, errors.New("DROPS_URL must be like http://127.0.0.1:8081, got " + address)
	}
	p.Drops = newHTTPDrops(address)
	return front(static, p.handler(), passOn(target)), nil
}

func passOn(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
}

// front shares requests out as the distributions in serverless.yml do.
func front(static, pages, drops http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del(ownerHeader)
		if local(r) {
			r.Header.Set(ownerHeader, "1")
		}
		content := strings.HasPrefix(r.Host, "content.localhost")
		switch {
		case forDrops(r):
			drops.ServeHTTP(w, r)
		case content:
			http.NotFound(w, r)
		case strings.HasPrefix(r.URL.Path, "/static/"):
			static.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

func forDrops(r *http.Request) bool {
	path := r.URL.Path
	for _, prefix := range []string{"/raw/", "/thumb/", "/drops/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	switch path {
	case "/drops", "/files", "/notes", "/links":
		return true
	case "/":
		return r.Method == http.MethodPost || r.Method == http.MethodPut
	}
	return r.Method == http.MethodPut
}

// local reports whether the request comes from this machine and was meant for
// it: a page elsewhere whose name was pointed at 127.0.0.1 is not the owner.
func local(r *http.Request) bool {
	ip := net.ParseIP(sourceIP(r))
	if ip == nil || !ip.IsLoopback() {
		return false
	}
	name := r.Host
	if h, _, err := net.SplitHostPort(r.Host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	return name == "localhost" || name == "127.0.0.1" || name == "::1"
}
