CREATE TABLE delta_files (
    table_id VARCHAR(255) NOT NULL,
    path TEXT NOT NULL,
    added_version BIGINT,
    removed_version BIGINT,
    size BIGINT,
    modification_time BIGINT,
    data_change BOOLEAN,
    num_records BIGINT,
    base_row_id BIGINT,
    default_row_commit_version BIGINT,
    clustering_provider TEXT,
    deletion_timestamp BIGINT,
    partition_values TEXT NOT NULL,
    stats TEXT,
    deletion_vector TEXT,
    deletion_vector_id TEXT,
    tags TEXT,
    extra TEXT,
    removal TEXT,
    key_hash BIGINT NOT NULL,
    partition_key BIGINT
);

CREATE INDEX delta_files_by_key ON delta_files (key_hash);

CREATE INDEX delta_files_ended ON delta_files (table_id, removed_version) WHERE removed_version IS NOT NULL;

CREATE INDEX delta_files_live ON delta_files (table_id, partition_key) WHERE removed_version IS NULL;

CREATE TABLE delta_ranges (
    table_id VARCHAR(255) NOT NULL,
    bucket BIGINT NOT NULL,
    low BIGINT NOT NULL,
    high BIGINT NOT NULL,
    key_hash BIGINT NOT NULL
);

CREATE INDEX delta_ranges_by_low ON delta_ranges (table_id, bucket, low, high, key_hash);

CREATE TABLE deltalakedb_schema (
    version INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (version)
);

CREATE TABLE migration_status (
    table_id VARCHAR(255) NOT NULL,
    location TEXT NOT NULL,
    status VARCHAR(16) NOT NULL,
    version BIGINT,
    files_processed BIGINT NOT NULL,
    started_at DATETIME NOT NULL,
    completed_at DATETIME,
    error_message TEXT,
    first_version BIGINT,
    target_version BIGINT,
    commits_total BIGINT,
    commits_processed BIGINT NOT NULL,
    rows_loaded BIGINT NOT NULL,
    log_fingerprint VARCHAR(64),
    owner TEXT,
    heartbeat_at DATETIME,
    PRIMARY KEY (table_id)
);

CREATE TABLE delta_cdc_files (
    table_id VARCHAR(255) NOT NULL,
    version BIGINT NOT NULL,
    path TEXT NOT NULL,
    partition_values TEXT NOT NULL,
    size BIGINT,
    data_change BOOLEAN,
    tags TEXT,
    extra TEXT,
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE INDEX delta_cdc_files_by_version ON delta_cdc_files (table_id, version);

CREATE TABLE delta_commits (
    table_id VARCHAR(255) NOT NULL,
    version BIGINT NOT NULL,
    timestamp BIGINT NOT NULL,
    in_commit_timestamp BIGINT,
    file_timestamp BIGINT NOT NULL,
    operation TEXT,
    operation_parameters TEXT,
    operation_metrics TEXT,
    user_id TEXT,
    user_name TEXT,
    engine_info TEXT,
    txn_id TEXT,
    is_blind_append BOOLEAN,
    commit_info TEXT,
    other_actions TEXT,
    PRIMARY KEY (table_id, version),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_domain_metadata (
    table_id VARCHAR(255) NOT NULL,
    domain TEXT NOT NULL,
    version BIGINT NOT NULL,
    configuration TEXT,
    removed BOOLEAN,
    extra TEXT,
    PRIMARY KEY (table_id, domain, version),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_indexes (
    table_id VARCHAR(255) NOT NULL,
    number BIGINT NOT NULL,
    column_name TEXT NOT NULL,
    physical_path TEXT NOT NULL,
    family VARCHAR(16) NOT NULL,
    shared_prefix TEXT NOT NULL,
    levels BIGINT NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (table_id, number),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_metadata (
    table_id VARCHAR(255) NOT NULL,
    version BIGINT NOT NULL,
    id TEXT,
    name TEXT,
    description TEXT,
    "format" TEXT,
    schema_string TEXT,
    partition_columns TEXT,
    configuration TEXT,
    created_time BIGINT,
    extra TEXT,
    PRIMARY KEY (table_id, version),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_partitions (
    table_id VARCHAR(255) NOT NULL,
    partition_key BIGINT NOT NULL,
    partition_values TEXT NOT NULL,
    PRIMARY KEY (table_id, partition_key),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_protocols (
    table_id VARCHAR(255) NOT NULL,
    version BIGINT NOT NULL,
    min_reader_version BIGINT NOT NULL,
    min_writer_version BIGINT NOT NULL,
    reader_features TEXT,
    writer_features TEXT,
    extra TEXT,
    PRIMARY KEY (table_id, version),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_tables (
    table_id VARCHAR(255) NOT NULL,
    location TEXT NOT NULL,
    first_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    log_version BIGINT NOT NULL,
    imported_at DATETIME NOT NULL,
    synced_at DATETIME NOT NULL,
    warnings TEXT,
    checkpoint_actions TEXT,
    PRIMARY KEY (table_id),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);

CREATE TABLE delta_transactions (
    table_id VARCHAR(255) NOT NULL,
    app_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    txn_version BIGINT NOT NULL,
    last_updated BIGINT,
    extra TEXT,
    PRIMARY KEY (table_id, app_id, version),
    FOREIGN KEY(table_id) REFERENCES migration_status (table_id) ON DELETE CASCADE
);
