package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/services/abuse/access"
	"github.com/dropstack/dropstack/services/abuse/detect"
)

// settings are what the environment says; README.md lists it.
type settings struct {
	rules  detect.Rules
	format access.Format // of the stream's lines
	banFor time.Duration
	shadow bool
}

// longest is as long as a ban may be.
const longest = 365 * 24 * time.Hour

// reader reads variables and gathers what is wrong with them. Those that are empty are
// as if they were not there.
type reader struct {
	getenv func(string) string
	faults []error
}

func readSettings(getenv func(string) string) (settings, error) {
	r := &reader{getenv: getenv}
	s := settings{rules: detect.Default(), banFor: 4 * time.Hour}
	t := &s.rules
	r.integer("FAILED", &t.Failed)
	r.integer("FAILED_SHARE", &t.FailedShare)
	r.integer("PROBED", &t.Probed)
	r.integer("PROBED_SHARE", &t.ProbedShare)
	r.integer("LOGINS", &t.Logins)
	r.integer("LOGINS_SHARE", &t.LoginsShare)
	r.integer("DOWNLOADS", &t.Downloads)
	r.integer("PEERS", &t.Peers)
	r.long("BYTES", &t.Bytes)
	r.long("DOWNLOAD_SIZE", &t.DownloadSize)
	r.read("DEVIATIONS", func(v string) (err error) { t.Deviations, err = strconv.ParseFloat(v, 64); return err })
	r.read("STATUSES", func(v string) (err error) { t.Statuses, err = each(v, strconv.Atoi); return err })
	r.read("LOGIN_PATHS", func(v string) (err error) { t.LoginPaths, err = each(v, loginPath); return err })
	r.read("IGNORE", func(v string) (err error) { t.Ignore, err = each(v, keep); return err })
	r.read("URIS", func(v string) (err error) { t.URIs, err = uris(v); return err })
	r.read("ALLOW", func(v string) (err error) { t.Allow, err = each(v, prefix); return err })
	r.read("SHADOW", func(v string) (err error) { s.shadow, err = strconv.ParseBool(v); return err })
	r.read("BAN_FOR", func(v string) (err error) {
		s.banFor, err = time.ParseDuration(v)
		if err == nil && (s.banFor < time.Second || s.banFor > longest) {
			err = fmt.Errorf("from 1s to %v", longest)
		}
		return err
	})
	fields := strings.Fields(access.RealTime)
	r.read("FIELDS", func(v string) error { fields = strings.Fields(v); return nil })
	var err error
	if s.format, err = access.NewFormat(fields); err != nil {
		r.faults = append(r.faults, fmt.Errorf("FIELDS: %w", err))
	}
	return s, errors.Join(r.faults...)
}

func (r *reader) read(name string, parse func(string) error) {
	v := strings.TrimSpace(r.getenv(name))
	if v == "" {
		return
	}
	if err := parse(v); err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s=%q: %w", name, v, err))
	}
}

func (r *reader) integer(name string, into *int) {
	r.read(name, func(v string) (err error) {
		if *into, err = strconv.Atoi(v); err == nil && *into < 0 {
			err = errors.New("at least 1, or 0 to switch the rule off")
		}
		return err
	})
}

func (r *reader) long(name string, into *int64) {
	r.read(name, func(v string) (err error) {
		if *into, err = strconv.ParseInt(v, 10, 64); err == nil && *into < 0 {
			err = errors.New("at least 1, or 0 to switch the rule off")
		}
		return err
	})
}

// each parses the parts of a list, between commas.
func each[T any](list string, parse func(string) (T, error)) (out []T, err error) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		v, err := parse(part)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", part, err)
		}
		out = append(out, v)
	}
	return out, nil
}

func keep(s string) (string, error) { return s, nil }

func loginPath(s string) (string, error) {
	if verb, path, ok := strings.Cut(s, " "); !ok || verb == "" || path == "" {
		return "", errors.New("a method, or *, and a path, such as POST /login")
	}
	return s, nil
}

func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return detect.ClientOf(a), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// uris reads PATH=COUNT,...
func uris(list string) (map[string]int, error) {
	out := map[string]int{}
	_, err := each(list, func(part string) (struct{}, error) {
		path, count, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || path == "" {
			return struct{}{}, errors.New("a path and how many failures in a minute, such as /search=200")
		}
		out[path] = n
		return struct{}{}, nil
	})
	return out, err
}
