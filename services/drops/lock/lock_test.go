package lock_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/drops/lock"
)

func TestKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	keys := make([]lock.Key, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = lock.LoadKey(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys[1:] {
		if !bytes.Equal(k, keys[0]) {
			t.Error("two starters got different keys")
		}
	}
	info, err := os.Stat(filepath.Join(dir, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("got %d files, want only the secret", len(files))
	}
}

func TestTokens(t *testing.T) {
	k, other, now := lock.Key(make([]byte, 32)), lock.Key(bytes.Repeat([]byte{1}, 32)), time.Unix(2e9, 0)
	content, unlock := k.Content("abc1234", 2, now), k.Unlock("abc1234", "hash", now)
	for name, c := range map[string]struct{ got, want bool }{
		"fresh":                     {k.CheckContent(content, "abc1234", 2, now), true},
		"just before its end":       {k.CheckContent(content, "abc1234", 2, now.Add(lock.ContentTTL-time.Second)), true},
		"at its end":                {k.CheckContent(content, "abc1234", 2, now.Add(lock.ContentTTL)), false},
		"another drop":              {k.CheckContent(content, "abc1235", 2, now), false},
		"another version":           {k.CheckContent(content, "abc1234", 3, now), false},
		"another key":               {other.CheckContent(content, "abc1234", 2, now), false},
		"an unlock token as one":    {k.CheckContent(unlock, "abc1234", 2, now), false},
		"garbage":                   {k.CheckContent("zzzz.!!", "abc1234", 2, now), false},
		"longer life by hand":       {k.CheckContent("z"+content, "abc1234", 2, now), false},
		"empty":                     {k.CheckContent("", "abc1234", 2, now), false},
		"unlock":                    {k.CheckUnlock(unlock, "abc1234", "hash", now), true},
		"unlock after a new phrase": {k.CheckUnlock(unlock, "abc1234", "hash2", now), false},
		"unlock too late":           {k.CheckUnlock(unlock, "abc1234", "hash", now.Add(lock.UnlockTTL)), false},
		"same":                      {lock.Same("a", "a"), true},
		"not same":                  {lock.Same("a", "b"), false},
		"nothing is wanted":         {lock.Same("", ""), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestPassword(t *testing.T) {
	hash, err := lock.HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse": true, "Correct horse": false, "": false} {
		if got, err := lock.CheckPassword(t.Context(), password, hash); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", password, got, err, want)
		}
	}
	for _, bad := range []string{"", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA", "$$$$$"} {
		if ok, err := lock.CheckPassword(t.Context(), "", bad); ok || err == nil {
			t.Errorf("hash %q: got %v, %v, want an error", bad, ok, err)
		}
	}
}
