package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serviceForm asks for a token by client credentials.
func serviceForm() string {
	return url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {"service"},
		"client_secret": {secrets["service"]},
		"resource":      {billingAPI},
	}.Encode()
}

// tokenLoad is an application that asks for tokens all the time, from four places.
type tokenLoad struct {
	answered atomic.Int64
	lost     atomic.Int64 // of those: not answered, or not with a token
	said     string       // what became of the first lost one

	once    sync.Once
	stop    chan struct{}
	workers sync.WaitGroup
}

func startLoad(s *system, form string) *tokenLoad {
	l := &tokenLoad{stop: make(chan struct{})}
	for range 4 {
		l.workers.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()

			for {
				select {
				case <-l.stop:
					return
				case <-tick.C:
				}
				l.ask(s.url("/oauth/token"), form)
			}
		})
	}

	return l
}

func (l *tokenLoad) ask(target, form string) {
	defer l.answered.Add(1)
	res, err := http.Post(target, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		l.lose(err.Error())
		return
	}

	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()

	switch {
	case err != nil:
		l.lose(err.Error())
	case res.StatusCode != http.StatusOK:
		l.lose(fmt.Sprintf("%s: %s", res.Status, body))
	}
}

func (l *tokenLoad) lose(why string) {
	l.lost.Add(1)
	l.once.Do(func() { l.said = why })
}

// end stops the load and returns how many requests were lost.
func (l *tokenLoad) end() int64 {
	close(l.stop)
	l.workers.Wait()
	return l.lost.Load()
}
