package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/tail"
)

// tailed are what who follows logs must be allowed: to follow each group, and what
// stands for many, which a policy cannot tell one by one, with an action of its own.
func (l *Logs) tailed(in tail.StartLiveTailInput) []Need {
	var needs []Need
	for _, id := range in.LogGroupIdentifiers {
		if strings.HasSuffix(logs.GroupOf(id), "*") && !strings.HasPrefix(id, "arn:") {
			needs = append(needs, Need{Action: "dropstack:TailLogs"})
			continue
		}
		needs = append(needs, Need{Resource: l.all(logs.GroupOf(id))})
	}
	if needs == nil {
		needs = []Need{{}}
	}
	return needs
}

// live answers with the events of a session, in AWS's binary encoding, until the
// client leaves.
func (s *Server) live(c *call, session *tail.LiveTail) {
	out := &events{w: c.w, r: c.r, encoder: eventstream.NewEncoder()}
	c.w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	c.w.WriteHeader(http.StatusOK)
	say := func(kind string, v any) error {
		doc, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out.send(kind, "application/json", doc)
		return out.err
	}
	err := say("initial-response", struct{}{})
	if err == nil {
		err = say("sessionStart", session.Start(c.id))
	}
	// Run ends the session whatever was said before.
	ended := session.Run(c.r.Context(), arn.Account, func(u tail.SessionUpdate) error {
		if err != nil {
			return err
		}
		return say("sessionUpdate", u)
	})
	if ended != nil && c.r.Context().Err() == nil {
		s.Log.Warn("a live tail broke off", "request", c.id, "err", ended)
	}
}

// Tail follows logs: tell gets what comes, until ctx ends or it fails.
func (c *Client) Tail(ctx context.Context, in tail.StartLiveTailInput, tell func(tail.SessionUpdate) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return fault.Errorf(fault.Invalid, "endpoint %q: %w", c.Endpoint, err)
	}
	req.Header.Set("X-Amz-Target", "Logs_20140328.StartLiveTail")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, c.Keys, req, hex.EncodeToString(sum[:]), "logs", arn.Region, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "no platform answers at %s; is `dropstack up` running? (%w)", c.Endpoint, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return clientError(resp.StatusCode, answer)
	}
	decoder := eventstream.NewDecoder()
	for {
		m, err := decoder.Decode(resp.Body, nil)
		switch {
		case ctx.Err() != nil, errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("follow logs: %w", err)
		}
		kind := m.Headers.Get(eventstreamapi.EventTypeHeader)
		if kind == nil || kind.String() != "sessionUpdate" {
			continue
		}
		var u tail.SessionUpdate
		if err := json.Unmarshal(m.Payload, &u); err != nil {
			return fmt.Errorf("follow logs: %w", err)
		}
		if err := tell(u); err != nil {
			return err
		}
	}
}
