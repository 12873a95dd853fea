CREATE TABLE settings (id INTEGER PRIMARY KEY, device_id TEXT, has_completed_first_run BOOLEAN, expose BOOLEAN, models TEXT, schema_version INTEGER);
INSERT INTO settings VALUES(1, 'd', 1, 1, '', 1);
CREATE TABLE chats (id TEXT PRIMARY KEY, title TEXT, created_at TIMESTAMP);
INSERT INTO chats VALUES('a', 'Old chat', '2025-07-01 00:00:00');
CREATE TABLE messages (id INTEGER PRIMARY KEY, chat_id TEXT, role TEXT, content TEXT, created_at TIMESTAMP);
INSERT INTO messages VALUES(1, 'a', 'user', 'Привет 😀', '2025-07-01 00:00:00'), (2, 'a', 'assistant', 'Hello', NULL);
