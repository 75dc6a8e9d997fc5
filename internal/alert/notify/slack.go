package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/nflog"
	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"
)

// slackSender tells a channel of Slack. As a bot it posts one message a group, edits
// that as the group changes, and answers in its thread. An incoming webhook cannot
// edit: there every change is a message of its own.
type slackSender struct {
	conf *config.SlackConfig
	tmpl *template.Template
	log  *slog.Logger
	web  commoncfg.HTTPClientOption
}

// Where the message of a group stands, in the notification log.
const (
	slackTS      = "slack_ts"
	slackChannel = "slack_channel"
)

const postMessage = "chat.postMessage"

// Notify posts or edits the message of the group.
func (s *slackSender) Notify(ctx context.Context, list ...*am.Alert) (again bool, err error) {
	data := engine.GetTemplateData(ctx, s.tmpl, list, s.log)
	w, m, err := s.compose(data)
	if err != nil {
		return false, err
	}
	url, err := s.url()
	if err != nil {
		return false, err
	}
	client, err := engine.NewClientWithTracing(*s.conf.HTTPConfig, "slack", s.web)
	if err != nil {
		return false, err
	}
	defer client.CloseIdleConnections()
	c := &slackCall{client: client, url: url}
	if !strings.HasSuffix(url, "/"+postMessage) {
		return c.hook(ctx, m)
	}
	store, known := engine.NflogStore(ctx)
	if !known {
		store = nflog.NewStore(nil)
	}
	why, _ := engine.NotificationReason(ctx)
	ts, posted := store.GetStr(slackTS)
	channel, _ := store.GetStr(slackChannel)
	if posted && why != engine.ReasonFirstNotification {
		edited := m
		edited.Channel, edited.TS = channel, ts
		_, again, err = c.method(ctx, "chat.update", edited)
		if err == nil {
			said, loud := w.reply(why)
			_, again, err = c.method(ctx, postMessage, message{Channel: channel, ThreadTS: ts, Text: said, Broadcast: loud})
			return again, err
		}
		if !slices.Contains(unediting, reason(err)) {
			return again, err
		}
		// somebody deleted it, or it is too old: then a new one
	}
	answer, again, err := c.method(ctx, postMessage, m)
	if err == nil {
		store.SetStr(slackTS, answer.TS)
		store.SetStr(slackChannel, answer.Channel)
	}
	return again, err
}

// compose writes the message, in the words of the configuration where it has some.
func (s *slackSender) compose(data *template.Data) (words, message, error) {
	var failed error
	own := func(text, standard string) string {
		if text == standard || failed != nil {
			return ""
		}
		out, err := s.tmpl.ExecuteTextString(text, data)
		failed = err
		return out
	}
	standard := config.DefaultSlackConfig
	w := words{
		Data: data, title: own(s.conf.Title, standard.Title), text: own(s.conf.Text, standard.Text), color: own(s.conf.Color, standard.Color),
	}
	m := message{
		Channel: own(s.conf.Channel, ""), Username: own(s.conf.Username, standard.Username),
		IconEmoji: own(s.conf.IconEmoji, standard.IconEmoji), IconURL: own(s.conf.IconURL, standard.IconURL),
		Text: own(s.conf.Fallback, standard.Fallback),
	}
	if failed != nil {
		return w, m, fmt.Errorf("a template of slack_configs: %w", failed)
	}
	if m.Text == "" {
		m.Text = shorten(escape(w.headline()), maxPlain)
	}
	m.Attachments = []attachment{w.attachment()}
	return w, m, nil
}

func (s *slackSender) url() (string, error) {
	if s.conf.APIURL != nil {
		return s.conf.APIURL.String(), nil
	}
	text, err := os.ReadFile(s.conf.APIURLFile)
	if err != nil {
		return "", fmt.Errorf("api_url_file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// slackCall speaks to Slack's API.
type slackCall struct {
	client *http.Client
	url    string // of chat.postMessage, or of an incoming webhook: that one is secret
}

// slackAnswer is what methods answer.
type slackAnswer struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error"`
	TS       string `json:"ts"`
	Channel  string `json:"channel"`
	Metadata struct {
		Messages []string `json:"messages"`
	} `json:"response_metadata"`
}

// refusal is an answer of Slack's that is not ok.
type refusal struct {
	method, code string
	details      []string
}

func (r refusal) Error() string {
	out := fmt.Sprintf("%s: refused by Slack: %s", r.method, r.code)
	if hint := hints[r.code]; hint != "" {
		out += "; " + hint
	}
	if len(r.details) > 0 {
		out += ": " + cut(strings.Join(r.details, "; "), 500)
	}
	return out
}

// hints say what to do about what Slack says most.
var hints = map[string]string{
	"not_in_channel":    "invite the bot to the channel",
	"channel_not_found": "the channel does not exist, or is private and the bot was not invited",
	"invalid_auth":      "the bot's token is wrong",
	"not_authed":        "there is no token",
	"token_revoked":     "the bot's token was revoked",
	"account_inactive":  "the bot's account was removed",
	"missing_scope":     "the bot needs the scope chat:write",
}

// unediting are the refusals after which a message is posted anew.
var unediting = []string{"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_archived"}

// passing are the refusals that another attempt may not meet.
var passing = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}

func reason(err error) string {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.code
	}
	return ""
}

// method calls a method of the API.
func (c *slackCall) method(ctx context.Context, name string, m message) (answer slackAnswer, again bool, err error) {
	body, again, err := c.post(ctx, strings.TrimSuffix(c.url, postMessage)+name, m)
	if err != nil {
		return answer, again, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, true, fmt.Errorf("%s: what Slack answered is no JSON", name)
	}
	if !answer.OK {
		return answer, slices.Contains(passing, answer.Error), refusal{name, answer.Error, answer.Metadata.Messages}
	}
	return answer, false, nil
}

// hook posts to an incoming webhook.
func (c *slackCall) hook(ctx context.Context, m message) (again bool, err error) {
	body, again, err := c.post(ctx, c.url, m)
	if err != nil {
		return again, err
	}
	if said := strings.TrimSpace(string(body)); said != "ok" {
		return false, refusal{method: "a message to an incoming webhook", code: cut(said, 200)}
	}
	return false, nil
}

// post sends a request.
func (c *slackCall) post(ctx context.Context, url string, m message) (body []byte, again bool, err error) {
	doc, err := json.Marshal(m)
	if err != nil {
		return nil, false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(doc))
	if err != nil {
		return nil, false, errors.New("the URL of Slack's API is none") // which one is secret
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, true, engine.RedactURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case err != nil:
		return nil, true, engine.RedactURL(err)
	case resp.StatusCode == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0: as the engine thinks fit
		return nil, true, enough{time.Duration(seconds) * time.Second}
	case resp.StatusCode/100 != 2:
		return nil, resp.StatusCode >= http.StatusInternalServerError, refusal{
			method: "a message", code: strconv.Itoa(resp.StatusCode) + " " + cut(strings.TrimSpace(string(body)), 200),
		}
	}
	return body, false, nil
}

// enough is the answer of a receiver that wants no more for a while.
type enough struct{ pause time.Duration }

func (e enough) Error() string {
	return fmt.Sprintf("too many messages; the receiver takes none for %v", e.pause)
}
