// A Gin server, as one writes it: a goroutine and a channel for each stream.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// A stream that is so many events behind is ended.
const backlog = 512

var comment = []byte(":\n\n")

type event struct{ frame []byte }

type stream struct {
	events  chan *event
	tooSlow chan struct{}
	once    sync.Once
}

func newStream() *stream {
	return &stream{events: make(chan *event, backlog), tooSlow: make(chan struct{})}
}

func (s *stream) offer(e *event) {
	select {
	case s.events <- e:
	default:
		s.once.Do(func() { close(s.tooSlow) })
	}
}

// Who listens to what.
type registry struct {
	lock   sync.RWMutex
	topics map[string]map[*stream]struct{}
	last   int
}

func (r *registry) join(topics []string, s *stream) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, topic := range topics {
		if r.topics[topic] == nil {
			r.topics[topic] = map[*stream]struct{}{}
		}
		r.topics[topic][s] = struct{}{}
	}
}

func (r *registry) leave(topics []string, s *stream) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, topic := range topics {
		delete(r.topics[topic], s)
		if len(r.topics[topic]) == 0 {
			delete(r.topics, topic)
		}
	}
}

// The server is published to on one connection, so that one goroutine counts.
func (r *registry) publish(topic string, data []byte) {
	r.last++
	e := &event{frame: bytes.Join([][]byte{[]byte(fmt.Sprintf("id: %d\ndata: ", r.last)), data, []byte("\n\n")}, nil)}
	r.lock.RLock()
	defer r.lock.RUnlock()
	for s := range r.topics[topic] {
		s.offer(e)
	}
}

func (r *registry) serve(c *gin.Context, heartbeat time.Duration) {
	topics := strings.Split(c.Param("topics"), ",")
	s := newStream()
	r.join(topics, s)
	defer r.leave(topics, s)

	var beat <-chan time.Time
	if heartbeat > 0 {
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		beat = ticker.C
	}
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-cache")
	gone := c.Request.Context().Done()
	for next := comment; ; {
		if _, err := c.Writer.Write(next); err != nil {
			return
		}
		c.Writer.Flush()
		select {
		case e := <-s.events:
			next = e.frame
		case <-beat:
			next = comment
		case <-s.tooSlow:
			return
		case <-gone:
			return
		}
	}
}

// gin <port> <milliseconds between heartbeats, or 0>
func main() {
	milliseconds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	heartbeat := time.Duration(milliseconds) * time.Millisecond
	r := &registry{topics: map[string]map[*stream]struct{}{}}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/ready", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	router.GET("/events/:topics", func(c *gin.Context) { r.serve(c, heartbeat) })
	router.POST("/publish/:topic", func(c *gin.Context) {
		data, err := io.ReadAll(c.Request.Body)
		if err != nil {
			return
		}
		r.publish(c.Param("topic"), data)
		c.Status(http.StatusNoContent)
	})
	router.POST("/collect", func(c *gin.Context) {
		debug.FreeOSMemory()
		c.Status(http.StatusNoContent)
	})
	panic(router.Run("127.0.0.1:" + os.Args[1]))
}
