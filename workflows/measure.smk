rule measure:
    input:
        lambda wildcards: PLAN.paths(PLAN.inputs("measure", wildcards.job)),
    output:
        f"{OUT}/measure/{{job}}.csv.gz",
        f"{OUT}/measure/{{job}}.npz",
        timing=f"{OUT}/timings/measure/{{job}}.json",
    log:
        f"{OUT}/logs/measure/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{job}}.tsv"
    priority: 1
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=lambda wildcards: 5 + int(3 * minutes(PLAN, "measure", wildcards.job)),
    params:
        rests_on=lambda wildcards: fingerprint(PLAN, "measure", wildcards.job),
    shell:
        "python -m scorebench stage measure --job {wildcards.job} > {log} 2>&1"


rule sensitivity:
    output:
        f"{OUT}/sensitivity/{{job}}.csv.gz",
        timing=f"{OUT}/timings/sensitivity/{{job}}.json",
    log:
        f"{OUT}/logs/sensitivity/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/sensitivity/{{job}}.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        rests_on=lambda wildcards: fingerprint(PLAN, "sensitivity", wildcards.job),
    shell:
        "python -m scorebench stage sensitivity --job {wildcards.job} > {log} 2>&1"
