package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// valid says what Slack would refuse of a message, by the limits that its
// reference of Block Kit and of chat.postMessage publishes.
func valid(doc []byte) error {
	var m struct {
		Channel     string `json:"channel"`
		Text        string `json:"text"`
		Attachments []struct {
			Color, Fallback string
			Blocks          []map[string]any
		}
	}
	if err := json.Unmarshal(doc, &m); err != nil {
		return err
	}
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if m.Text == "" {
		fail("no text, which notifications and screen readers show")
	}
	if n := utf8.RuneCountInString(m.Text); n > 4000 {
		fail("text of %d characters", n)
	}
	if len(m.Attachments) > 20 {
		fail("%d attachments", len(m.Attachments))
	}
	for _, a := range m.Attachments {
		if len(a.Blocks) == 0 || len(a.Blocks) > 50 {
			fail("%d blocks", len(a.Blocks))
		}
		if !strings.HasPrefix(a.Color, "#") || len(a.Color) != 7 {
			fail("color %q", a.Color)
		}
		for i, b := range a.Blocks {
			if err := validBlock(b); err != nil {
				fail("block %d: %w", i, err)
			}
		}
	}
	return errors.Join(errs...)
}

func validBlock(b map[string]any) error {
	switch b["type"] {
	case "divider":
		return nil
	case "header":
		return validText(b["text"], "plain_text", 150)
	case "section":
		fields, _ := b["fields"].([]any)
		if b["text"] == nil && len(fields) == 0 {
			return errors.New("a section without text and fields")
		}
		if len(fields) > 10 {
			return fmt.Errorf("%d fields", len(fields))
		}
		for _, f := range fields {
			if err := validText(f, "", 2000); err != nil {
				return fmt.Errorf("field: %w", err)
			}
		}
		if b["text"] == nil {
			return nil
		}
		return validText(b["text"], "", 3000)
	case "context":
		elements, _ := b["elements"].([]any)
		if len(elements) == 0 || len(elements) > 10 {
			return fmt.Errorf("%d elements", len(elements))
		}
		for _, e := range elements {
			if err := validText(e, "", 3000); err != nil {
				return err
			}
		}
		return nil
	case "actions":
		return validButtons(b)
	}
	return fmt.Errorf("no such block: %v", b["type"])
}

func validButtons(b map[string]any) error {
	elements, _ := b["elements"].([]any)
	if len(elements) == 0 || len(elements) > 25 {
		return fmt.Errorf("%d elements", len(elements))
	}
	ids := map[any]bool{}
	for _, e := range elements {
		button, _ := e.(map[string]any)
		if button["type"] != "button" {
			return fmt.Errorf("element %v", button["type"])
		}
		if err := validText(button["text"], "plain_text", 75); err != nil {
			return err
		}
		link, _ := button["url"].(string)
		if u, err := url.Parse(link); err != nil || u.Host == "" || len(link) > 3000 {
			return fmt.Errorf("URL %q", link)
		}
		id, _ := button["action_id"].(string)
		if id == "" || len(id) > 255 || ids[id] {
			return fmt.Errorf("action_id %q, which has to be unique in its block", id)
		}
		ids[id] = true
	}
	return nil
}

// validText looks at a text object; kind "": either.
func validText(v any, kind string, limit int) error {
	o, _ := v.(map[string]any)
	typed, _ := o["type"].(string)
	if (kind != "" && typed != kind) || (typed != "plain_text" && typed != "mrkdwn") {
		return fmt.Errorf("text of type %q", typed)
	}
	s, _ := o["text"].(string)
	if n := utf8.RuneCountInString(s); n == 0 || n > limit {
		return fmt.Errorf("text of %d characters, of which 1 to %d are allowed", n, limit)
	}
	return nil
}
